// Arithmetic on rows of channels: the bodies shared by all launchers.
#pragma once

#include <cstdint>

#include <torch/headeronly/util/BFloat16.h>
#include <torch/headeronly/util/Half.h>

#if defined(__CUDACC__)
#define GMOE_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define GMOE_HOST_DEVICE inline
#endif

namespace gmoe {

// Half-precision rows are summed in float32.
template <typename T>
struct Accumulator {
  using type = T;
};
template <>
struct Accumulator<torch::headeronly::Half> {
  using type = float;
};
template <>
struct Accumulator<torch::headeronly::BFloat16> {
  using type = float;
};
template <typename T>
using acc_t = typename Accumulator<T>::type;

// relu(z), and its derivative times a gradient. NaN passes through, as it
// does in torch.relu.
template <typename A>
GMOE_HOST_DEVICE A relu(A z) {
  return z > A(0) ? z : (z != z ? z : A(0));
}
template <typename A>
GMOE_HOST_DEVICE A relu_backward(A z, A grad) {
  return z > A(0) ? grad : (z != z ? grad : A(0));
}

} // namespace gmoe

// Sums of counts, and where what is counted goes.
#pragma once

#include <array>
#include <optional>

#include <torch/csrc/stable/ops.h>

#include "launch.h"

namespace gmoe::cuda {

// Of int64, each with all before it.
inline Tensor cumulative_sum(const Tensor& count) {
  using torch::stable::detail::from;
  std::array<StableIValue, 3> stack{
      from(count), from(int64_t(0)), from(std::optional<ScalarType>())};
  STABLE_TORCH_ERROR_CODE_CHECK(torch_call_dispatcher(
      "aten::cumsum", "", stack.data(), TORCH_ABI_VERSION));
  return torch::stable::detail::to<Tensor>(stack[0]);
}

// The sum of all before k, from cumulative sums.
__device__ __forceinline__ int64_t
sum_before(const int64_t* sum, int64_t k) {
  return k == 0 ? 0 : sum[k - 1];
}

} // namespace gmoe::cuda

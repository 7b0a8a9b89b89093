// Grouping of positions by key, on the device and without waiting for it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include "launch.h"

namespace gmoe::cuda {

// The positions of the keys of group g are position[ptr[g]] to
// position[ptr[g + 1]], in ascending order.
struct Group {
  const int64_t* ptr;
  const int64_t* position;
};

// The first k with values[k] >= bound, among ascending values.
template <typename Value>
__device__ __forceinline__ int64_t
lower_bound(const Value* values, int64_t size, int64_t bound) {
  int64_t first = 0;
  while (size > 0) {
    const int64_t half = size / 2;
    if (values[first + half] < bound) {
      first += half + 1;
      size -= half + 1;
    } else {
      size = half;
    }
  }
  return first;
}

template <typename Index>
__global__ void group_pointer(
    const Index* key, int64_t size, int64_t num_groups, int64_t* ptr) {
  const int64_t g = thread_item();
  if (g <= num_groups) {
    ptr[g] = lower_bound(key, size, g);
  }
}

// The group of each position, from the pointer of the groups.
template <typename Index>
__global__ void group_of(
    const Index* ptr, int64_t num_groups, int64_t size, int64_t* out) {
  const int64_t k = thread_item();
  if (k < size) {
    out[k] = lower_bound(ptr, num_groups + 1, k + 1) - 1;
  }
}

// Holds the memory of a Group.
struct Grouped {
  Tensor key, position, ptr; // The keys are sorted.

  Group view() const {
    return {
        ptr.const_data_ptr<int64_t>(), position.const_data_ptr<int64_t>()};
  }
};

struct Sorted {
  Tensor value, position;
};

inline Sorted stable_sort(const Tensor& values) {
  using torch::stable::detail::from;
  using torch::stable::detail::to;
  std::array<StableIValue, 4> stack{
      from(values), from(std::optional<bool>(true)), from(int64_t(0)),
      from(false)};
  STABLE_TORCH_ERROR_CODE_CHECK(torch_call_dispatcher(
      "aten::sort", "stable", stack.data(), TORCH_ABI_VERSION));
  return {to<Tensor>(stack[0]), to<Tensor>(stack[1])};
}

template <typename Index>
Grouped group(cudaStream_t stream, const Tensor& key, int64_t num_groups) {
  const Sorted sorted = stable_sort(key);
  Grouped out{
      sorted.value, sorted.position,
      torch::stable::new_empty(key, {num_groups + 1}, ScalarType::Long)};
  launch(
      stream, per_item(num_groups + 1), group_pointer<Index>,
      out.key.template const_data_ptr<Index>(), key.numel(), num_groups,
      out.ptr.template mutable_data_ptr<int64_t>());
  return out;
}

} // namespace gmoe::cuda

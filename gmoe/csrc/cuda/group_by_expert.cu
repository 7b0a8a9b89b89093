// The slots of a routing, grouped by expert, on CUDA: a stable counting sort.
// A warp per chunk of slots counts those of each expert; the sums of the
// counts say where the chunk's slots go, which it then moves in their order.
#include "../group_by_expert.h"

#include <cassert>

#include <torch/csrc/stable/library.h>

#include "group.h"
#include "launch.h"
#include "scan.h"

namespace gmoe::cuda {

namespace {

constexpr int64_t kChunk = 256;
constexpr int64_t kWarps = kThreads / kWarp;

// What a warp knows of each expert in its chunk.
using PerExpert = int64_t[kWarps][kMaxExperts];

// The slots of a chunk, in their order: calls f(s, place) with the next place
// of the slot's expert, and moves the expert's next place on. All lanes of a
// warp must call it. Ids are not checked on the host, which would have to wait
// for them.
template <typename Weight, typename Index, typename F>
__device__ __forceinline__ void take(
    const Slots<Weight, Index>& slots, int64_t chunk, int64_t* next, F f) {
  const int64_t end = min(chunk * kChunk + kChunk, slots.num_slots);
  for (int64_t first = chunk * kChunk; first < end; first += kWarp) {
    const int64_t s = first + threadIdx.x;
    const bool valid = s < end;
    const int64_t o = valid ? static_cast<int64_t>(slots.expert[s]) : -1;
    assert(!valid || (o >= 0 && o < slots.num_experts));
    const unsigned peers =
        __match_any_sync(kAllLanes, static_cast<unsigned>(o));
    const unsigned before = peers & lanes_before();
    const int64_t place = valid ? next[o] + __popc(before) : 0;
    __syncwarp(); // All have read before one of the peers writes.
    if (valid) {
      if (before == 0) {
        next[o] += __popc(peers);
      }
      f(s, place);
    }
    __syncwarp();
  }
}

template <typename Weight, typename Index>
__global__ void __launch_bounds__(kThreads) count_slots(
    Slots<Weight, Index> slots, int64_t num_chunks, int64_t* count) {
  __shared__ PerExpert shared;
  int64_t* counts = shared[threadIdx.y];
  const int64_t chunk = row_item();
  if (chunk >= num_chunks) {
    return;
  }
  for (int64_t o = threadIdx.x; o < slots.num_experts; o += kWarp) {
    counts[o] = 0;
  }
  __syncwarp();
  take(slots, chunk, counts, [](int64_t, int64_t) {});
  for (int64_t o = threadIdx.x; o < slots.num_experts; o += kWarp) {
    count[o * num_chunks + chunk] = counts[o];
  }
}

template <typename Weight, typename Index>
__global__ void __launch_bounds__(kThreads) move_slots(
    Slots<Weight, Index> slots, int64_t num_chunks, const int64_t* sum) {
  __shared__ PerExpert shared;
  int64_t* next = shared[threadIdx.y];
  const int64_t chunk = row_item();
  if (chunk >= num_chunks) {
    return;
  }
  for (int64_t o = threadIdx.x; o < slots.num_experts; o += kWarp) {
    next[o] = sum_before(sum, o * num_chunks + chunk);
    if (chunk == 0) {
      slots.out_ptr[o] = static_cast<Index>(next[o]);
    }
  }
  if (chunk == 0 && threadIdx.x == 0) {
    slots.out_ptr[slots.num_experts] = static_cast<Index>(slots.num_slots);
  }
  __syncwarp();
  take(slots, chunk, next, [&](int64_t s, int64_t place) {
    slots.move(
        s, lower_bound(slots.ptr, slots.num_nodes + 1, s + 1) - 1, place);
  });
}

GroupedSlots group_by_expert(
    Tensor weight, Tensor expert, Tensor ptr, int64_t num_experts) {
  STD_TORCH_CHECK(
      num_experts >= 0 && num_experts <= kMaxExperts,
      "'num_experts' must be from 0 to ", kMaxExperts, ", got ", num_experts);
  const torch::stable::accelerator::DeviceGuard guard(
      expert.get_device_index());
  return with_slots(
      weight, expert, ptr, num_experts,
      [&]<typename Weight, typename Index>(
          const Slots<Weight, Index>& slots) {
        const cudaStream_t stream = current_stream(expert);
        // At least one, which writes the pointer.
        const int64_t num_chunks =
            std::max<int64_t>(1, (slots.num_slots + kChunk - 1) / kChunk);
        const Tensor count = torch::stable::new_empty(
            expert, {num_experts * num_chunks}, ScalarType::Long);
        const Shape shape = per_row(num_chunks, kWarp);
        launch(
            stream, shape, count_slots<Weight, Index>, slots, num_chunks,
            count.mutable_data_ptr<int64_t>());
        const Tensor sum = cumulative_sum(count);
        launch(
            stream, shape, move_slots<Weight, Index>, slots, num_chunks,
            sum.const_data_ptr<int64_t>());
      });
}

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CUDA, m) {
  m.impl("group_by_expert", TORCH_BOX(&group_by_expert));
}

} // namespace gmoe::cuda

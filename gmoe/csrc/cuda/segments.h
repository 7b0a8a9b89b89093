// Sums of rows that have the same key, in a fixed order.
//
// Keys only grow along the positions, which are cut into chunks. A row of
// threads per chunk sums a part for each key of its chunk; then the parts of
// each key are added up in their order. Both the chunk and the key only grow
// along the positions, so that their sum numbers the parts.
#pragma once

#include "launch.h"

namespace gmoe::cuda {

struct Chunks {
  int64_t num_positions, size, count;

  // Small chunks for many threads, but a bounded number of them.
  explicit Chunks(int64_t positions) : num_positions(positions) {
    constexpr int64_t kMinSize = 128, kMaxChunks = 2048;
    size = std::max(kMinSize, (positions + kMaxChunks - 1) / kMaxChunks);
    count = (positions + size - 1) / size;
  }

  int64_t num_parts(int64_t num_keys) const {
    return count + num_keys;
  }

  __device__ int64_t begin(int64_t chunk) const {
    return chunk * size;
  }
  __device__ int64_t end(int64_t chunk) const {
    return min(chunk * size + size, num_positions);
  }
};

// Adds up the parts of each key: a row of threads per row of out, which is
// ordered by group and key. A part has a row for each group.
template <typename A, typename T, int N>
__global__ void __launch_bounds__(kThreads) add_parts(
    const A* part,
    const int64_t* key_ptr,
    Chunks chunks,
    int64_t num_keys,
    int64_t num_groups,
    int64_t channels,
    T* out) {
  const int64_t item = row_item();
  if (item >= num_groups * num_keys) {
    return;
  }
  const int64_t g = item / num_keys, key = item % num_keys;
  const int64_t begin = key_ptr[key], end = key_ptr[key + 1];
  for (int64_t d = threadIdx.x * N; d < channels; d += blockDim.x * N) {
    A sum[N];
    clear(sum);
    if (begin < end) {
      const int64_t last = (end - 1) / chunks.size;
      for (int64_t chunk = begin / chunks.size; chunk <= last; ++chunk) {
        const int64_t row = (chunk + key) * num_groups + g;
        add(part + row * channels + d, sum);
      }
    }
    store(out + item * channels + d, sum);
  }
}

// The sum of each row: a warp per row.
template <typename A, typename T>
__global__ void __launch_bounds__(kThreads)
    sum_rows(const A* x, int64_t num_rows, int64_t channels, T* out) {
  const int64_t row = row_item();
  if (row >= num_rows) {
    return;
  }
  A sum = 0;
  for (int64_t d = threadIdx.x; d < channels; d += kWarp) {
    sum += x[row * channels + d];
  }
  sum = warp_sum(sum);
  if (threadIdx.x == 0) {
    out[row] = static_cast<T>(sum);
  }
}

// Memory of the type that T is summed in.
template <typename T>
Tensor new_sums(const Tensor& like, int64_t size) {
  return torch::stable::new_empty(
      like, {size},
      std::is_same_v<T, double> ? ScalarType::Double : ScalarType::Float);
}

} // namespace gmoe::cuda

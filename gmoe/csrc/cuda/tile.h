// Products of matrices in tiles of 64 x 64 for CUDA. A block makes a tile;
// each of its threads makes eight rows of two columns, and sums in a fixed
// order.
#pragma once

#include "launch.h"

namespace gmoe::cuda {

constexpr int kTile = 64, kDepth = 16, kTileRows = 8;

inline int64_t num_tiles(int64_t size) {
  return (size + kTile - 1) / kTile;
}

inline Shape per_tile(int64_t tiles) {
  return {
      dim3(static_cast<unsigned>(tiles)),
      dim3(kWarp, static_cast<unsigned>(kThreads / kWarp))};
}

// One side of a product: what is summed over is its depth.
template <typename T>
struct Operand {
  const T* data;
  int64_t depth_stride, width_stride;
  int64_t width;
};

// The padding spreads a column over the banks of the shared memory.
template <typename A>
using Tile = A[kDepth][kTile + 4];

template <typename T>
__device__ __forceinline__ void load_tile(
    const Operand<T>& from, int64_t first_depth, int64_t depth, int64_t first,
    Tile<acc_t<T>>& to) {
  const int thread = static_cast<int>(threadIdx.y * kWarp + threadIdx.x);
  const bool along_depth = from.depth_stride == 1;
#pragma unroll
  for (int step = thread; step < kDepth * kTile; step += kThreads) {
    const int k = along_depth ? step % kDepth : step / kTile;
    const int w = along_depth ? step / kDepth : step % kTile;
    const int64_t at = first_depth + k, column = first + w;
    to[k][w] = at < depth && column < from.width
        ? static_cast<acc_t<T>>(
              from.data[at * from.depth_stride + column * from.width_stride])
        : acc_t<T>(0);
  }
}

// The tile of the product that begins at a row and a column, over the depth
// begin to end - 1. All threads of a block must call it.
template <typename T>
__device__ __forceinline__ void multiply_tile(
    const Operand<T>& a, const Operand<T>& b, int64_t begin, int64_t end,
    int64_t first_row, int64_t first_column, acc_t<T> (&sum)[kTileRows][2]) {
  using A = acc_t<T>;
  __shared__ Tile<A> left, right;
  for (int r = 0; r < kTileRows; ++r) {
    clear(sum[r]);
  }
  const int row = static_cast<int>(threadIdx.y) * kTileRows;
  const int column = static_cast<int>(threadIdx.x);
  for (int64_t depth = begin; depth < end; depth += kDepth) {
    load_tile(a, depth, end, first_row, left);
    load_tile(b, depth, end, first_column, right);
    __syncthreads();
#pragma unroll
    for (int k = 0; k < kDepth; ++k) {
      const A right1 = right[k][column], right2 = right[k][column + kWarp];
#pragma unroll
      for (int r = 0; r < kTileRows; ++r) {
        sum[r][0] += left[k][row + r] * right1;
        sum[r][1] += left[k][row + r] * right2;
      }
    }
    __syncthreads();
  }
}

// Calls f with the row and the column in the product, and the sum, of each
// element of this thread.
template <typename A, typename F>
__device__ __forceinline__ void for_each_element(
    const A (&sum)[kTileRows][2],
    int64_t first_row,
    int64_t num_rows,
    int64_t first_column,
    int64_t num_columns,
    F f) {
#pragma unroll
  for (int r = 0; r < kTileRows; ++r) {
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const int64_t row = first_row + threadIdx.y * kTileRows + r;
      const int64_t column = first_column + threadIdx.x + c * kWarp;
      if (row < num_rows && column < num_columns) {
        f(row, column, sum[r][c]);
      }
    }
  }
}

} // namespace gmoe::cuda

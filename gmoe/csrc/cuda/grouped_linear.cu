// Linear maps of groups of rows on CUDA. Where the groups begin is read on the
// device; the host knows only how many tiles there can be at most.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include "../grouped_linear.h"
#include "segments.h"
#include "tile.h"

namespace gmoe::cuda {

namespace {

struct Groups {
  const int64_t* ptr;
  int64_t count;
  int64_t num_rows;

  // The group and the first row of a tile of rows. The rows beyond the last
  // group count as one more; tiles that there are not begin at num_rows.
  __device__ int64_t find(int64_t tile, int64_t& first, int64_t& end) const {
    int64_t begin = 0;
    for (int64_t g = 0; g <= count; ++g) {
      end = g < count ? ptr[g + 1] : num_rows;
      const int64_t tiles = (end - begin + kTile - 1) / kTile;
      if (tile < tiles) {
        first = begin + tile * kTile;
        return g;
      }
      tile -= tiles;
      begin = end;
    }
    first = num_rows;
    return count;
  }
};

// A block per tile of rows and tile of columns.
template <typename T>
__global__ void __launch_bounds__(kThreads) linear_tiles(
    Groups groups, const T* x, const T* weight, const T* bias,
    int64_t group_stride, int64_t depth_stride, int64_t column_stride,
    int64_t depth, int64_t columns, int64_t column_tiles, T* out) {
  int64_t first_row = 0, end = 0;
  const int64_t g = groups.find(blockIdx.x / column_tiles, first_row, end);
  if (first_row >= groups.num_rows) {
    return;
  }
  const int64_t first_column = blockIdx.x % column_tiles * kTile;
  const bool used = g < groups.count;
  const Operand<T> a{x, 1, depth, end};
  const Operand<T> b{
      weight + (used ? g : 0) * group_stride, depth_stride, column_stride,
      columns};
  acc_t<T> sum[kTileRows][2];
  multiply_tile(a, b, 0, used ? depth : 0, first_row, first_column, sum);
  for_each_element(
      sum, first_row, end, first_column, columns,
      [&](int64_t row, int64_t column, acc_t<T> value) {
        if (used && bias != nullptr) {
          value += static_cast<acc_t<T>>(bias[g * columns + column]);
        }
        out[row * columns + column] = static_cast<T>(value);
      });
}

// A block per tile of x_g^T y_g and part of the rows of g.
template <typename T, typename Out>
__global__ void __launch_bounds__(kThreads) outer_tiles(
    Groups groups, const T* x, const T* y, int64_t x_columns,
    int64_t y_columns, int64_t x_tiles, int64_t y_tiles, int64_t num_parts,
    Out* out) {
  int64_t block = blockIdx.x;
  const int64_t first_column = block % y_tiles * kTile;
  block /= y_tiles;
  const int64_t first_row = block % x_tiles * kTile;
  block /= x_tiles;
  const int64_t g = block % groups.count, part = block / groups.count;
  const int64_t begin = groups.ptr[g], size = groups.ptr[g + 1] - begin;
  const Operand<T> a{x, x_columns, 1, x_columns};
  const Operand<T> b{y, y_columns, 1, y_columns};
  acc_t<T> sum[kTileRows][2];
  multiply_tile(
      a, b, begin + size * part / num_parts,
      begin + size * (part + 1) / num_parts, first_row, first_column, sum);
  Out* to = out + block * x_columns * y_columns;
  for_each_element(
      sum, first_row, x_columns, first_column, y_columns,
      [&](int64_t row, int64_t column, acc_t<T> value) {
        to[row * y_columns + column] = static_cast<Out>(value);
      });
}

template <typename T>
__global__ void __launch_bounds__(kThreads) add_outer_parts(
    const acc_t<T>* part, int64_t num_parts, int64_t size, T* out) {
  const int64_t item = thread_item();
  if (item >= size) {
    return;
  }
  acc_t<T> sum = 0;
  for (int64_t p = 0; p < num_parts; ++p) {
    sum += part[p * size + item];
  }
  out[item] = static_cast<T>(sum);
}

// So many parts of the rows that many blocks have work, but none too little.
int64_t parts_for(int64_t tiles, int64_t rows_per_group) {
  constexpr int64_t kBlocks = 512, kMinRows = 256;
  const int64_t most = std::max<int64_t>(1, rows_per_group / kMinRows);
  return std::clamp<int64_t>(kBlocks / tiles, 1, most);
}

struct OnCuda {
  using Guard = cuda::Guard;

  static void linear(
      const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias,
      const Tensor& ptr, const Tensor& out) {
    const int64_t num_rows = x.size(0), columns = weight.size(2);
    const Groups groups{
        ptr.const_data_ptr<int64_t>(), weight.size(0), num_rows};
    // Each group may end with a tile that is not full.
    const int64_t column_tiles = num_tiles(columns);
    const int64_t row_tiles =
        num_rows == 0 ? 0 : num_rows / kTile + groups.count + 1;
    with_channel_type("x", x.scalar_type(), [&](auto value) {
      using T = decltype(value);
      launch(
          current_stream(x), per_tile(row_tiles * column_tiles),
          linear_tiles<T>, groups, x.template const_data_ptr<T>(),
          weight.template const_data_ptr<T>(),
          bias.has_value() ? bias->template const_data_ptr<T>() : nullptr,
          weight.stride(0), weight.stride(1), weight.stride(2), x.size(1),
          columns, column_tiles, out.template mutable_data_ptr<T>());
    });
  }

  static void outer(
      const Tensor& x, const Tensor& y, const Tensor& ptr, Tensor& out) {
    if (out.numel() == 0) {
      return;
    }
    const int64_t num_groups = ptr.numel() - 1;
    const Groups groups{ptr.const_data_ptr<int64_t>(), num_groups, x.size(0)};
    const int64_t x_tiles = num_tiles(x.size(1));
    const int64_t y_tiles = num_tiles(y.size(1));
    const int64_t tiles = num_groups * x_tiles * y_tiles;
    const int64_t num_parts = parts_for(tiles, x.size(0) / num_groups);
    with_channel_type("x", x.scalar_type(), [&](auto value) {
      using T = decltype(value);
      const cudaStream_t stream = current_stream(x);
      auto multiply = [&](auto* to) {
        launch(
            stream, per_tile(tiles * num_parts),
            outer_tiles<T, std::remove_pointer_t<decltype(to)>>, groups,
            x.template const_data_ptr<T>(), y.template const_data_ptr<T>(),
            x.size(1), y.size(1), x_tiles, y_tiles, num_parts, to);
      };
      T* to = out.template mutable_data_ptr<T>();
      if (num_parts == 1) {
        return multiply(to);
      }
      const Tensor parts = new_sums<T>(x, num_parts * out.numel());
      auto* part = parts.template mutable_data_ptr<acc_t<T>>();
      multiply(part);
      launch(
          stream, per_item(out.numel()), add_outer_parts<T>, part, num_parts,
          out.numel(), to);
    });
  }
};

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CUDA, m) {
  m.impl("grouped_linear", TORCH_BOX(&grouped_linear<OnCuda>));
  m.impl("grouped_outer", TORCH_BOX(&grouped_outer<OnCuda>));
}

} // namespace gmoe::cuda

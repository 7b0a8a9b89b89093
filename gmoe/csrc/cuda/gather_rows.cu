// Rows by index on CUDA, and the sum of the rows of each index, in a fixed
// order.
#include <torch/csrc/stable/library.h>

#include "group.h"
#include "launch.h"

namespace gmoe::cuda {

namespace {

template <typename T, typename Index, int N>
__global__ void __launch_bounds__(kThreads) gather(
    const T* x, const Index* index, int64_t size, int64_t channels, T* out) {
  const int64_t r = row_item();
  if (r >= size) {
    return;
  }
  const T* from = x + index[r] * channels;
  for (int64_t d = threadIdx.x * N; d < channels; d += blockDim.x * N) {
    *reinterpret_cast<Pack<T, N>*>(out + r * channels + d) =
        *reinterpret_cast<const Pack<T, N>*>(from + d);
  }
}

template <typename T, int N>
__global__ void __launch_bounds__(kThreads) add_each(
    const T* x, Group by, int64_t num_rows, int64_t channels, T* out) {
  const int64_t r = row_item();
  if (r >= num_rows) {
    return;
  }
  for (int64_t d = threadIdx.x * N; d < channels; d += blockDim.x * N) {
    acc_t<T> sum[N];
    clear(sum);
    for (int64_t p = by.ptr[r]; p < by.ptr[r + 1]; ++p) {
      add(x + by.position[p] * channels + d, sum);
    }
    store(out + r * channels + d, sum);
  }
}

Arguments take(Tensor& x, Tensor& index) {
  const Arguments arguments("x", x);
  check_real("x", x, false);
  check_integer("index", index);
  arguments.take("x", x, x.scalar_type(), {kAny, kAny});
  arguments.take("index", index, index.scalar_type(), {kAny});
  return arguments;
}

Tensor gather_rows(Tensor x, Tensor index) {
  take(x, index);
  const torch::stable::accelerator::DeviceGuard guard(x.get_device_index());
  const int64_t size = index.numel(), D = x.size(1);
  Tensor out = torch::stable::new_empty(x, {size, D});
  dispatch(x.scalar_type(), index.scalar_type(), [&](auto value, auto type) {
    using T = decltype(value);
    using Index = decltype(type);
    const T* from = x.template const_data_ptr<T>();
    T* to = out.template mutable_data_ptr<T>();
    with_pack<T>(D, {from, to}, [&](auto pack) {
      constexpr int N = decltype(pack)::value;
      launch(
          current_stream(x), per_row(size, D / N), gather<T, Index, N>, from,
          index.template const_data_ptr<Index>(), size, D, to);
    });
  });
  return out;
}

Tensor add_rows(Tensor x, Tensor index, int64_t num_rows) {
  take(x, index).take("x", x, x.scalar_type(), {index.numel(), kAny});
  check_count("num_rows", num_rows);
  const torch::stable::accelerator::DeviceGuard guard(x.get_device_index());
  const int64_t D = x.size(1);
  Tensor out = torch::stable::new_empty(x, {num_rows, D});
  dispatch(x.scalar_type(), index.scalar_type(), [&](auto value, auto type) {
    using T = decltype(value);
    const cudaStream_t stream = current_stream(x);
    const Grouped by = group<decltype(type)>(stream, index, num_rows);
    const T* from = x.template const_data_ptr<T>();
    T* to = out.template mutable_data_ptr<T>();
    with_pack<T>(D, {from, to}, [&](auto pack) {
      constexpr int N = decltype(pack)::value;
      launch(
          stream, per_row(num_rows, D / N), add_each<T, N>, from, by.view(),
          num_rows, D, to);
    });
  });
  return out;
}

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CUDA, m) {
  m.impl("gather_rows", TORCH_BOX(&gather_rows));
  m.impl("add_rows", TORCH_BOX(&add_rows));
}

} // namespace gmoe::cuda

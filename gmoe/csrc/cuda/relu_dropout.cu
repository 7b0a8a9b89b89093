// ReLU and dropout in one pass on CUDA: a seed gives the mask that it gives on
// the CPU. It is read on the device, so that a captured graph draws another
// mask whenever it is run.
#include "../relu_dropout.h"

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include "launch.h"

namespace gmoe::cuda {

namespace {

constexpr int kWords = 4; // A thread has the elements of one counter.

template <typename T, bool kAligned>
__device__ __forceinline__ void load_words(
    const T* x, int64_t at, int64_t size, acc_t<T> (&to)[kWords]) {
  if (kAligned && at + kWords <= size) {
    load(x + at, to);
    return;
  }
#pragma unroll
  for (int w = 0; w < kWords; ++w) {
    to[w] = at + w < size ? static_cast<acc_t<T>>(x[at + w]) : acc_t<T>(0);
  }
}

template <typename T, bool kAligned>
__device__ __forceinline__ void store_words(
    T* x, int64_t at, int64_t size, const acc_t<T> (&from)[kWords]) {
  if (kAligned && at + kWords <= size) {
    store(x + at, from);
    return;
  }
#pragma unroll
  for (int w = 0; w < kWords; ++w) {
    if (at + w < size) {
      x[at + w] = static_cast<T>(from[w]);
    }
  }
}

template <typename T, bool kAligned>
__global__ void __launch_bounds__(kThreads) drop_words(
    const T* x, int64_t size, const int64_t* seed, uint64_t threshold,
    acc_t<T> scale, bool with_relu, T* out) {
  const int64_t counter = thread_item(), at = counter * kWords;
  if (at >= size) {
    return;
  }
  const uint64_t c = static_cast<uint64_t>(counter);
  const uint64_t key = static_cast<uint64_t>(*seed);
  uint32_t word[kWords] = {
      static_cast<uint32_t>(c), static_cast<uint32_t>(c >> 32), 0, 0};
  philox(word, static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32));
  acc_t<T> z[kWords];
  load_words<T, kAligned>(x, at, size, z);
#pragma unroll
  for (int w = 0; w < kWords; ++w) {
    z[w] = with_relu ? relu(z[w]) : z[w];
    z[w] = word[w] >= threshold ? z[w] * scale : acc_t<T>(0);
  }
  store_words<T, kAligned>(out, at, size, z);
}

// The gradient where the output says that the element came through.
template <typename T, bool kAligned>
__global__ void __launch_bounds__(kThreads) pass_words(
    const T* grad, const T* out, int64_t size, acc_t<T> scale, T* grad_x) {
  const int64_t at = thread_item() * kWords;
  if (at >= size) {
    return;
  }
  acc_t<T> g[kWords], kept[kWords];
  load_words<T, kAligned>(grad, at, size, g);
  load_words<T, kAligned>(out, at, size, kept);
#pragma unroll
  for (int w = 0; w < kWords; ++w) {
    g[w] = kept[w] == acc_t<T>(0) ? acc_t<T>(0) : scale * g[w];
  }
  store_words<T, kAligned>(grad_x, at, size, g);
}

Shape per_counter(int64_t size) {
  return per_item((size + kWords - 1) / kWords);
}

// Calls f with whether the elements of a counter can be taken in one.
template <typename T, typename F>
void with_alignment(const std::vector<const void*>& data, F f) {
  bool aligned = true;
  for (const void* x : data) {
    aligned &= reinterpret_cast<uintptr_t>(x) % sizeof(Pack<T, kWords>) == 0;
  }
  aligned ? f(std::true_type()) : f(std::false_type());
}

template <typename T>
void drop(
    const Tensor& x, const Tensor& seed, double p, bool with_relu,
    const Tensor& out) {
  const T* from = x.const_data_ptr<T>();
  T* to = out.mutable_data_ptr<T>();
  with_alignment<T>({from, to}, [&](auto aligned) {
    launch(
        current_stream(x), per_counter(x.numel()),
        drop_words<T, decltype(aligned)::value>, from, x.numel(),
        seed.const_data_ptr<int64_t>(), drop_below(p),
        static_cast<acc_t<T>>(1 / (1 - p)), with_relu, to);
  });
}

Tensor relu_dropout(Tensor x, Tensor seed, double p, bool relu) {
  take_dropout("x", x, seed, p);
  const torch::stable::accelerator::DeviceGuard guard(x.get_device_index());
  Tensor out = torch::stable::empty_like(x);
  with_channel_type("x", x.scalar_type(), [&](auto value) {
    drop<decltype(value)>(x, seed, p, relu, out);
  });
  return out;
}

Tensor relu_dropout_backward(
    Tensor grad, Tensor out, Tensor seed, double p, bool relu) {
  take_dropout("grad", grad, seed, p);
  take_dropped(grad, out, relu);
  const torch::stable::accelerator::DeviceGuard guard(grad.get_device_index());
  Tensor grad_x = torch::stable::empty_like(grad);
  with_channel_type("grad", grad.scalar_type(), [&](auto value) {
    using T = decltype(value);
    if (!relu) {
      drop<T>(grad, seed, p, false, grad_x);
      return;
    }
    const T* g = grad.template const_data_ptr<T>();
    const T* kept = out.template const_data_ptr<T>();
    T* to = grad_x.template mutable_data_ptr<T>();
    with_alignment<T>({g, kept, to}, [&](auto aligned) {
      launch(
          current_stream(grad), per_counter(grad.numel()),
          pass_words<T, decltype(aligned)::value>, g, kept, grad.numel(),
          static_cast<acc_t<T>>(1 / (1 - p)), to);
    });
  });
  return grad_x;
}

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CUDA, m) {
  m.impl("relu_dropout", TORCH_BOX(&relu_dropout));
  m.impl("relu_dropout_backward", TORCH_BOX(&relu_dropout_backward));
}

} // namespace gmoe::cuda

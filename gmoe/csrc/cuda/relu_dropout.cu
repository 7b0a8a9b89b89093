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
  uint32_t k0 = static_cast<uint32_t>(key), k1 = key >> 32;
  uint32_t word[kWords] = {
      static_cast<uint32_t>(c), static_cast<uint32_t>(c >> 32), 0, 0};
#pragma unroll
  for (int round = 0; round < kPhiloxRounds; ++round) {
    philox_round(word[0], word[1], word[2], word[3], k0, k1);
    k0 += kPhiloxW0;
    k1 += kPhiloxW1;
  }
  acc_t<T> z[kWords];
  load_words<T, kAligned>(x, at, size, z);
#pragma unroll
  for (int w = 0; w < kWords; ++w) {
    z[w] = with_relu ? relu(z[w]) : z[w];
    z[w] = dropped(z[w], word[w] >= threshold, scale);
  }
  store_words<T, kAligned>(out, at, size, z);
}

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
    g[w] = dropped_backward(g[w], kept[w], scale);
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

struct OnCuda {
  using Guard = cuda::Guard;

  template <typename T>
  static void drop(
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

  template <typename T>
  static void pass(
      const Tensor& grad, const Tensor& out, double p, const Tensor& grad_x) {
    const T* from = grad.const_data_ptr<T>();
    const T* kept = out.const_data_ptr<T>();
    T* to = grad_x.mutable_data_ptr<T>();
    with_alignment<T>({from, kept, to}, [&](auto aligned) {
      launch(
          current_stream(grad), per_counter(grad.numel()),
          pass_words<T, decltype(aligned)::value>, from, kept, grad.numel(),
          static_cast<acc_t<T>>(1 / (1 - p)), to);
    });
  }
};

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CUDA, m) {
  m.impl("relu_dropout", TORCH_BOX(&relu_dropout<OnCuda>));
  m.impl("relu_dropout_backward", TORCH_BOX(&relu_dropout_backward<OnCuda>));
}

} // namespace gmoe::cuda

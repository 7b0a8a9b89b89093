// What every CUDA op needs: the current stream, checked launches, the choice
// of types, and rows of channels taken in packs of 16 bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include <cuda_runtime.h>

#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/macros.h>
#include <torch/csrc/stable/tensor.h>

#include "../inputs.h"

namespace gmoe::cuda {

constexpr int64_t kThreads = 256;
constexpr int64_t kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffU;

// Of a gate; as in gmoe/ops/backend.py.
constexpr int64_t kMaxExperts = 256;

// Makes the device of a tensor the current one.
struct Guard : torch::stable::accelerator::DeviceGuard {
  explicit Guard(const Tensor& tensor)
      : torch::stable::accelerator::DeviceGuard(tensor.get_device_index()) {}
};

inline cudaStream_t current_stream(const Tensor& tensor) {
  void* stream = nullptr;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(
      tensor.get_device_index(), &stream));
  return static_cast<cudaStream_t>(stream);
}

// How many blocks of which threads a kernel runs with.
struct Shape {
  dim3 grid, block;
};

// A thread per item: which one, thread_item() says.
inline Shape per_item(int64_t items) {
  const int64_t blocks = (items + kThreads - 1) / kThreads;
  return {dim3(static_cast<unsigned>(blocks)), dim3(kThreads)};
}

// A row of threads per item, with a thread for each pack of its channels:
// which one, row_item() says. Rows of few channels share a block, and threads
// step through rows of more packs than a block has threads.
inline Shape per_row(int64_t items, int64_t packs) {
  const int64_t x = std::clamp<int64_t>(packs, 1, kThreads);
  const int64_t y = kThreads / x;
  return {
      dim3(static_cast<unsigned>((items + y - 1) / y)),
      dim3(static_cast<unsigned>(x), static_cast<unsigned>(y))};
}

__device__ __forceinline__ int64_t thread_item() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

__device__ __forceinline__ int64_t row_item() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
}

template <typename... Parameters>
void launch(
    cudaStream_t stream,
    Shape shape,
    void (*kernel)(Parameters...),
    std::type_identity_t<Parameters>... arguments) {
  if (shape.grid.x == 0) {
    return; // CUDA refuses a launch of nothing.
  }
  kernel<<<shape.grid, shape.block, 0, stream>>>(arguments...);
  STD_CUDA_KERNEL_LAUNCH_CHECK();
}

// N channels of a row, which lie at a multiple of their size.
template <typename T, int N>
struct alignas(sizeof(T) * N) Pack {
  T value[N];
};

template <typename T, int N>
__device__ __forceinline__ void load(const T* from, acc_t<T> (&to)[N]) {
  const auto pack = *reinterpret_cast<const Pack<T, N>*>(from);
#pragma unroll
  for (int k = 0; k < N; ++k) {
    to[k] = static_cast<acc_t<T>>(pack.value[k]);
  }
}

template <typename T, int N>
__device__ __forceinline__ void add(const T* from, acc_t<T> (&to)[N]) {
  acc_t<T> value[N];
  load(from, value);
#pragma unroll
  for (int k = 0; k < N; ++k) {
    to[k] += value[k];
  }
}

template <typename T, int N, typename A>
__device__ __forceinline__ void store(T* to, const A (&from)[N]) {
  Pack<T, N> pack;
#pragma unroll
  for (int k = 0; k < N; ++k) {
    pack.value[k] = static_cast<T>(from[k]);
  }
  *reinterpret_cast<Pack<T, N>*>(to) = pack;
}

template <typename A, int N>
__device__ __forceinline__ void clear(A (&values)[N]) {
#pragma unroll
  for (int k = 0; k < N; ++k) {
    values[k] = A(0);
  }
}

// The lanes of a warp before this one, where a row of threads is a warp.
__device__ __forceinline__ unsigned lanes_before() {
  return (1U << threadIdx.x) - 1;
}

// The sum of one value per thread of a warp, in each of them.
template <typename A>
__device__ __forceinline__ A warp_sum(A value) {
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, step);
  }
  return value;
}

// Calls f with the number of channels of a pack: 16 bytes of T where all rows
// lie at multiples of 16 bytes, or else one channel.
template <typename T, typename F>
void with_pack(
    int64_t channels, const std::vector<const void*>& rows, F f) {
  constexpr int kPack = 16 / sizeof(T);
  bool aligned = channels % kPack == 0;
  for (const void* row : rows) {
    aligned &= reinterpret_cast<uintptr_t>(row) % 16 == 0;
  }
  if (aligned) {
    f(std::integral_constant<int, kPack>());
  } else {
    f(std::integral_constant<int, 1>());
  }
}

} // namespace gmoe::cuda

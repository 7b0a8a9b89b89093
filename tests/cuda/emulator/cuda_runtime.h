// Stands for CUDA's header of this name: kernels become functions of the CPU,
// which emulator.cpp runs thread by thread. Launches, shared memory, barriers
// and assertions are rewritten beforehand: see tests/cuda/build.py.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __grid_constant__
#define __launch_bounds__(...)
#define __forceinline__ inline __attribute__((always_inline))

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1)
      : x(x), y(y), z(z) {}
};

using cudaStream_t = void*;

inline int32_t aoti_torch_get_current_cuda_stream(int32_t, void** stream) {
  *stream = nullptr;
  return 0;
}

namespace emulator {

// There is one device.
struct DeviceGuard {
  explicit DeviceGuard(int32_t) {}
};

extern dim3 thread_index, block_index, block_size, grid_size;

// Runs body(arguments) in each thread. Throws std::runtime_error for what a
// GPU need not bear.
void run(
    dim3 grid, dim3 block, size_t dynamic_shared, void (*body)(const void*),
    const void* arguments, size_t size);

// What a thread calls. `where` names the place in the sources.
void enter(const char* kernel);
void* share(const void* key, size_t size);
void* dynamic_shared();
void wait_for_block(const char* where);
void wait_for_warp(const char* where, unsigned mask);
// What each lane of the mask has given, when all have.
const uint64_t* exchange(unsigned mask, uint64_t value, const char* where);
unsigned lane();
void check(bool holds, const char* what, const char* where);

template <typename... Parameters, typename... Arguments>
void launch(
    void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared,
    cudaStream_t, const Arguments&... arguments) {
  using Call = std::pair<
      void (*)(Parameters...), std::tuple<std::decay_t<Parameters>...>>;
  // On the heap: threads must not look at the stack of the host.
  const auto call = std::make_unique<Call>(
      kernel, std::tuple<std::decay_t<Parameters>...>(arguments...));
  run(
      grid, block, shared,
      [](const void* at) {
        const Call& own = *static_cast<const Call*>(at);
        std::apply(own.first, own.second);
      },
      call.get(), sizeof(Call));
}

template <typename T>
uint64_t as_bits(T value) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}

// The value of a lane, among lanes in groups of so many.
template <typename T>
T from_lane(
    unsigned mask, T value, unsigned source, unsigned width,
    const char* where) {
  check(std::has_single_bit(width) && width <= 32, "a width of lanes", where);
  check(
      source < 32 && (mask >> source & 1) != 0,
      "a source that is among the lanes", where);
  const uint64_t bits = exchange(mask, as_bits(value), where)[source];
  T out;
  std::memcpy(&out, &bits, sizeof(T));
  return out;
}

template <typename T>
T shuffle(
    const char* where, unsigned mask, T value, int source, int width = 32) {
  const unsigned first = lane() & ~(width - 1U);
  return from_lane(mask, value, first | (source & (width - 1)), width, where);
}

template <typename T>
T shuffle_xor(
    const char* where, unsigned mask, T value, int other, int width = 32) {
  return from_lane(mask, value, lane() ^ other, width, where);
}

inline unsigned ballot(const char* where, unsigned mask, bool holds) {
  const uint64_t* given = exchange(mask, holds, where);
  unsigned out = 0;
  for (unsigned k = 0; k < 32; ++k) {
    out |= (mask >> k & 1) != 0 && given[k] != 0 ? 1U << k : 0;
  }
  return out;
}

template <typename T>
unsigned match_any(const char* where, unsigned mask, T value) {
  const uint64_t* given = exchange(mask, as_bits(value), where);
  unsigned out = 0;
  for (unsigned k = 0; k < 32; ++k) {
    const bool same = given[k] == as_bits(value);
    out |= (mask >> k & 1) != 0 && same ? 1U << k : 0;
  }
  return out;
}

// Checks the place of an atomic operation, which no thread stops within.
void check_atomic(const void* at, size_t size);

template <typename T, typename F>
__attribute__((no_sanitize("thread"))) T atomic(T* at, F f) {
  check_atomic(at, sizeof(T));
  const T old = *at;
  *at = f(old);
  return old;
}

} // namespace emulator

#define threadIdx ::emulator::thread_index
#define blockIdx ::emulator::block_index
#define blockDim ::emulator::block_size
#define gridDim ::emulator::grid_size

#define EMULATOR_TEXT(x) #x
#define EMULATOR_LINE(x) EMULATOR_TEXT(x)
#define EMULATOR_WHERE __FILE__ ":" EMULATOR_LINE(__LINE__)

#define __syncthreads() ::emulator::wait_for_block(EMULATOR_WHERE)
#define __syncwarp(mask) ::emulator::wait_for_warp(EMULATOR_WHERE, mask)
#define __shfl_sync(...) ::emulator::shuffle(EMULATOR_WHERE, __VA_ARGS__)
#define __shfl_xor_sync(...) \
  ::emulator::shuffle_xor(EMULATOR_WHERE, __VA_ARGS__)
#define __ballot_sync(...) ::emulator::ballot(EMULATOR_WHERE, __VA_ARGS__)
#define __match_any_sync(...) \
  ::emulator::match_any(EMULATOR_WHERE, __VA_ARGS__)
#define EMULATOR_ASSERT(...) \
  ::emulator::check(bool(__VA_ARGS__), #__VA_ARGS__, EMULATOR_WHERE)

inline int __popc(unsigned value) {
  return std::popcount(value);
}

template <typename A, typename B>
constexpr std::common_type_t<A, B> min(A a, B b) {
  return b < a ? b : a;
}
template <typename A, typename B>
constexpr std::common_type_t<A, B> max(A a, B b) {
  return a < b ? b : a;
}

template <typename T>
T atomicAdd(T* at, std::type_identity_t<T> value) {
  return ::emulator::atomic(at, [&](T old) { return old + value; });
}

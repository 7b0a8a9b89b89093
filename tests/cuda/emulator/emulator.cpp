// Launches: the blocks of a kernel in random order. What a GPU need not bear
// ends the launch with an exception that names the kernel, the block and the
// thread.
#include "cuda_runtime.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <stdexcept>

#include <pthread.h>

#include "threads.h"

namespace emulator {
namespace {

constexpr size_t kMaxShared = 48 * 1024;
constexpr int kStay = 16; // One of so many looks at shared memory gives way.

std::mutex one_launch;
std::map<const void*, memory::Shared> shared; // Of the block.

void check_launch(dim3 grid, dim3 block, size_t dynamic) {
  const size_t size = size_t(block.x) * block.y * block.z;
  if (size < 1 || size > kMaxThreads || grid.x < 1 || grid.x > 0x7fffffff ||
      grid.y < 1 || grid.y > 65535 || grid.z < 1 || grid.z > 65535 ||
      dynamic > kMaxShared) {
    throw std::runtime_error(
        "a launch of " + text_of(grid) + " blocks of " + text_of(block) +
        " threads with " + std::to_string(dynamic) +
        " bytes of shared memory is more or less than a GPU takes");
  }
}

// The stack of the thread of the host.
memory::Range host_stack() {
  pthread_attr_t attributes;
  void* at = nullptr;
  size_t size = 0;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &at, &size);
  pthread_attr_destroy(&attributes);
  return {reinterpret_cast<uintptr_t>(at), size};
}

} // namespace

void run(
    dim3 grid, dim3 block, size_t dynamic, void (*body)(const void*),
    const void* arguments, size_t size) {
  const std::lock_guard lock(one_launch);
  check_launch(grid, block, dynamic);
  now = {"a kernel", body, arguments, dynamic};
  grid_size = grid;
  block_size = block;
  error.clear();
  memory::begin_launch(
      stacks(), host_stack(), {reinterpret_cast<uintptr_t>(arguments), size});
  std::vector<size_t> order(size_t(grid.x) * grid.y * grid.z);
  for (size_t k = 0; k < order.size(); ++k) {
    order[k] = k;
  }
  std::shuffle(order.begin(), order.end(), random_bits);
  for (const size_t k : order) {
    const size_t row = k / grid.x;
    memory::begin_block(k);
    run_block(
        {unsigned(k % grid.x), unsigned(row % grid.y), unsigned(row / grid.y)});
    shared.clear();
    if (!error.empty()) {
      throw std::runtime_error("the emulator of CUDA: " + error);
    }
  }
}

void enter(const char* kernel) {
  now.kernel = kernel;
}

void* share(const void* key, size_t size) {
  auto found = shared.find(key);
  if (found == shared.end()) {
    found = shared.emplace(key, size).first;
    size_t sum = 0;
    for (const auto& [_, own] : shared) {
      sum += own.range.size;
    }
    if (sum > kMaxShared) {
      fail("a block has more than 48 KiB of shared memory");
    }
  }
  return reinterpret_cast<void*>(found->second.range.begin);
}

void* dynamic_shared() {
  return share(&now, now.dynamic_shared);
}

void check(bool holds, const char* what, const char* where) {
  if (!holds) {
    fail(std::string(where) + " asks for: " + what);
  }
}

void look(uintptr_t at, size_t size, memory::Use use) {
  if (current == nullptr ||
      at - reinterpret_cast<uintptr_t>(current->stack) < kStack) {
    return;
  }
  std::string wrong;
  const bool is_shared = memory::look(current->number, at, size, use, wrong);
  if (!wrong.empty()) {
    fail(wrong);
  }
  if (is_shared && random_bits() % kStay == 0) {
    ready.push_back(current->number); // Give way to the others.
    leave();
  }
}

void report(const std::string& what) {
  if (current != nullptr) {
    fail(what);
  }
  std::fprintf(stderr, "the emulator of CUDA: the host: %s\n", what.c_str());
  std::abort();
}

void check_atomic(const void* at, size_t size) {
  look(reinterpret_cast<uintptr_t>(at), size, memory::Use::atomic);
}

} // namespace emulator

extern "C" __attribute__((visibility("default"))) void emulator_seed(
    uint64_t seed) {
  emulator::random_bits.seed(seed);
}

// The threads of a block, of which one runs at a time.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "cuda_runtime.h"
#include "memory.h"

namespace emulator {

constexpr unsigned kMaxThreads = 1024, kWarp = 32;
constexpr size_t kStack = 64 * 1024; // Of a thread.

enum class State { ready, at_block, at_warp, done };

struct Thread {
  dim3 index;
  unsigned number; // In the block.
  State state = State::ready;
  void* top = nullptr; // Of the stack, where it is not running.
  char* stack = nullptr;
  const char* where = ""; // It waits.
  unsigned mask = 0;
  uint64_t given = 0;
  uint64_t seen[kWarp] = {};
};

// What runs.
struct Launch {
  const char* kernel = "a kernel";
  void (*body)(const void*) = nullptr;
  const void* arguments = nullptr;
  size_t dynamic_shared = 0;
};

extern Launch now;
extern std::mt19937_64 random_bits;
extern std::vector<Thread> threads;
extern std::vector<unsigned> ready;
extern Thread* current; // None: the host runs.
extern std::string error;

// The stacks of all threads.
memory::Range stacks();

// Runs a block, until all its threads have ended or there is an error.
void run_block(dim3 at);

// Of the thread that runs: the others go on.
void leave();

// Of the thread that runs, which does not go on.
[[noreturn]] void fail(const std::string& what);

std::string text_of(dim3 at);

} // namespace emulator

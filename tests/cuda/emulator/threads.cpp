// Runs the threads of a block on the CPU, one at a time and in random order:
// each has a stack, which it leaves where it waits, and now and then where it
// looks at shared memory.
#include "threads.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include <sys/mman.h>

// Leaves one stack, whose top it stores, for another.
extern "C" void emulator_switch(void** from, void* to);
asm(R"(
.text
.hidden emulator_switch
.type emulator_switch, @function
emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
)");

namespace emulator {

dim3 thread_index, block_index, block_size, grid_size;
Launch now;
std::mt19937_64 random_bits(0);
std::vector<Thread> threads;
std::vector<unsigned> ready;
Thread* current = nullptr;
std::string error;

namespace {

std::vector<char*> free_stacks;
void* host_top = nullptr;

void begin_thread() {
  now.body(now.arguments);
  current->state = State::done;
  leave();
  std::abort();
}

void resume(Thread& thread) {
  if (thread.stack == nullptr) {
    thread.stack = free_stacks.back();
    free_stacks.pop_back();
    // Six registers, where to go, and a place that keeps calls aligned.
    auto** top = reinterpret_cast<void**>(thread.stack + kStack) - 8;
    std::fill(top, top + 8, nullptr);
    top[6] = reinterpret_cast<void*>(&begin_thread);
    thread.top = top;
  }
  current = &thread;
  thread_index = thread.index;
  emulator_switch(&host_top, thread.top);
  if (thread.state == State::done) {
    free_stacks.push_back(thread.stack);
  }
}

// When no thread can go on: all wait for the block at one place, or something
// is wrong.
void release_block() {
  const Thread& first = *std::find_if(
      threads.begin(), threads.end(),
      [](const Thread& t) { return t.state != State::done; });
  auto other = std::find_if(
      threads.begin(), threads.end(), [&](const Thread& t) {
        return t.state != first.state ||
            (t.state != State::done && std::strcmp(t.where, first.where) != 0);
      });
  if (first.state == State::at_block && other == threads.end()) {
    for (Thread& thread : threads) {
      thread.state = State::ready;
      ready.push_back(thread.number);
    }
    return memory::block_met();
  }
  if (other == threads.end()) {
    other = threads.begin() + first.number;
  }
  error = "kernel '" + std::string(now.kernel) + "', block " +
      text_of(block_index) + ", thread " + text_of(first.index) +
      ": waits at " + first.where + " for ever: thread " +
      text_of(other->index) +
      (other->state == State::done ? " has ended"
                                   : " waits at " + std::string(other->where));
}

void prepare_block(dim3 at) {
  block_index = at;
  threads.assign(block_size.x * block_size.y * block_size.z, {});
  ready.clear();
  for (unsigned k = 0; k < threads.size(); ++k) {
    const unsigned row = k / block_size.x;
    threads[k].index = {
        k % block_size.x, row % block_size.y, row / block_size.y};
    threads[k].number = k;
    ready.push_back(k);
  }
  free_stacks.clear();
  for (unsigned k = 0; k < threads.size(); ++k) {
    free_stacks.push_back(
        reinterpret_cast<char*>(stacks().begin) + k * kStack);
  }
}

} // namespace

std::string text_of(dim3 at) {
  return "(" + std::to_string(at.x) + ", " + std::to_string(at.y) + ", " +
      std::to_string(at.z) + ")";
}

void leave() {
  Thread* self = current;
  current = nullptr;
  emulator_switch(&self->top, host_top);
}

[[noreturn]] void fail(const std::string& what) {
  error = "kernel '" + std::string(now.kernel) + "', block " +
      text_of(block_index) + ", thread " + text_of(current->index) + ": " +
      what;
  leave();
  std::abort();
}

memory::Range stacks() {
  static void* at = mmap(
      nullptr, kMaxThreads * kStack, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) {
    throw std::bad_alloc();
  }
  return {reinterpret_cast<uintptr_t>(at), kMaxThreads * kStack};
}

void run_block(dim3 at) {
  prepare_block(at);
  size_t left = threads.size();
  while (left > 0 && error.empty()) {
    if (ready.empty()) {
      release_block();
      continue;
    }
    std::swap(ready[random_bits() % ready.size()], ready.back());
    Thread& thread = threads[ready.back()];
    ready.pop_back();
    resume(thread);
    left -= thread.state == State::done ? 1 : 0;
  }
}

} // namespace emulator

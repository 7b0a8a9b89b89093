// What threads of the emulated device do to memory: whether it is theirs, and
// whether two of them meet at a place with no barrier between them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace emulator {

namespace memory {

enum class Use { read, write, atomic };

struct Range {
  uintptr_t begin;
  size_t size;

  bool holds(uintptr_t at) const {
    return at - begin < size;
  }
};

// Shared memory of a block, with some that is nobody's before and behind it.
// No thread may read what none has written.
struct Shared {
  explicit Shared(size_t size);
  Shared(const Shared&) = delete;
  ~Shared();

  Range range;

 private:
  char* memory_;
};

void begin_launch(Range stacks, Range host_stack, Range arguments);
void begin_block(size_t block);

// All threads of the block have met, or those of a thread's warp.
void block_met();
void warp_met(unsigned thread);

// Says whether the place is in shared memory, and in `wrong` what is wrong.
bool look(
    unsigned thread, uintptr_t at, size_t size, Use use, std::string& wrong);

} // namespace memory

// A thread uses memory; of the host, nothing is asked.
void look(uintptr_t at, size_t size, memory::Use use);

// Something is wrong with what runs: a thread of the device, or the host.
void report(const std::string& what);

} // namespace emulator

// What the threads of a block wait for: each other, all of them or those of a
// warp, which may hand on values.
#include <algorithm>
#include <cstring>

#include "threads.h"

namespace emulator {

void wait_for_block(const char* where) {
  current->state = State::at_block;
  current->where = where;
  leave();
}

const uint64_t* exchange(unsigned mask, uint64_t value, const char* where) {
  Thread& self = *current;
  const unsigned first = self.number / kWarp * kWarp;
  const size_t lanes = std::min<size_t>(kWarp, threads.size() - first);
  if ((mask >> lane() & 1) == 0 || (lanes < kWarp && mask >> lanes != 0)) {
    fail(std::string(where) + " names other lanes than there are");
  }
  self.state = State::at_warp;
  self.where = where;
  self.mask = mask;
  self.given = value;
  for (unsigned k = 0; k < lanes; ++k) {
    const Thread& other = threads[first + k];
    if ((mask >> k & 1) != 0 &&
        (other.state != State::at_warp || other.mask != mask ||
         std::strcmp(other.where, where) != 0)) {
      leave();
      return self.seen;
    }
  }
  uint64_t given[kWarp] = {};
  for (unsigned k = 0; k < lanes; ++k) {
    given[k] = threads[first + k].given;
  }
  for (unsigned k = 0; k < lanes; ++k) {
    Thread& other = threads[first + k];
    if ((mask >> k & 1) != 0) {
      std::copy(given, given + kWarp, other.seen);
      other.state = State::ready;
      if (&other != &self) {
        ready.push_back(other.number);
      }
    }
  }
  return self.seen;
}

void wait_for_warp(const char* where, unsigned mask) {
  // Before, as the last one goes on at once.
  exchange(mask, 0, where);
  memory::warp_met(current->number);
}

unsigned lane() {
  return current->number % kWarp;
}

} // namespace emulator

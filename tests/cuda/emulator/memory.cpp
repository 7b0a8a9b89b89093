#include "memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>

// Of the runtime of AddressSanitizer, where it is loaded: PyTorch's tensors
// are then of their exact size, with memory that is nobody's around them.
extern "C" __attribute__((weak)) void* __asan_region_is_poisoned(
    void* at, size_t size);

namespace emulator::memory {
namespace {

constexpr size_t kGuard = 256, kMaxThreads = 1024, kWarp = 32;
constexpr size_t kPage = 4096, kGrain = 2, kMaxPages = 1024;

// When a thread used a place.
struct Mark {
  uint32_t thread = 0; // Of the whole grid, from 1 on.
  uint32_t block_meetings = 0, warp_meetings = 0;

  size_t warp() const {
    return (thread - 1) / kWarp;
  }
  bool is_before(const Mark& now) const {
    if (thread == 0 || thread == now.thread) {
      return true;
    }
    const bool same_block =
        (thread - 1) / kMaxThreads == (now.thread - 1) / kMaxThreads;
    return same_block &&
        (block_meetings < now.block_meetings ||
         (warp() == now.warp() && warp_meetings < now.warp_meetings));
  }
};

// The last uses of two bytes in a launch: two readers, of different warps if
// there are such, meet whoever writes.
struct Cell {
  uint32_t launch = 0;
  bool was_atomic = false;
  Mark writer, reader, other;
};

using Page = Cell[kPage / kGrain];

std::unordered_map<uintptr_t, std::unique_ptr<Page>> pages;
uintptr_t last_number = 0;
Cell* last_page = nullptr;
uint32_t launches = 0, blocks = 0, block_meetings = 0;
uint32_t warp_meetings[kMaxThreads];
Range stacks, host_stack, arguments;
std::set<Shared*> all_shared;

void reset(Cell& cell) {
  cell = Cell();
  cell.launch = launches;
}

Cell& cell_of(uintptr_t at) {
  const uintptr_t number = at / kPage;
  if (number != last_number || last_page == nullptr) {
    auto& page = pages[number];
    if (page == nullptr) {
      page.reset(reinterpret_cast<Page*>(new Page()));
    }
    last_number = number;
    last_page = *page;
  }
  Cell& cell = last_page[at % kPage / kGrain];
  if (cell.launch != launches) {
    reset(cell);
  }
  return cell;
}

void remember(Cell& cell, const Mark& now, Use use) {
  if (use != Use::read) {
    cell.writer = now;
    cell.was_atomic = use == Use::atomic;
    return;
  }
  if (cell.reader.is_before(now)) {
    cell.reader = now;
  } else if (
      cell.other.is_before(now) || cell.other.warp() == cell.reader.warp()) {
    cell.other = now;
  }
}

const char* race_of(const Cell& cell, const Mark& now, Use use) {
  if (!cell.writer.is_before(now) &&
      !(use == Use::atomic && cell.was_atomic)) {
    return "has written";
  }
  if (use != Use::read &&
      !(cell.reader.is_before(now) && cell.other.is_before(now))) {
    return "has read";
  }
  return nullptr;
}

// Most places are told from AddressSanitizer's shadow of them, which has a byte
// for eight: 0 where all may be used.
bool is_all_free(uintptr_t at, size_t size) {
  constexpr uintptr_t kShadow = 0x7fff8000;
  const auto* first = reinterpret_cast<const char*>((at >> 3) + kShadow);
  const auto* last =
      reinterpret_cast<const char*>(((at + size - 1) >> 3) + kShadow);
  return last - first <= 2 && *first == 0 && *last == 0 && (last - first < 2 || first[1] == 0);
}

// The name of what is wrong with the place itself, or null.
const char* place_of(uintptr_t at, size_t size, bool& is_shared) {
  if (stacks.holds(at)) {
    return "on the stack of another thread";
  }
  if (host_stack.holds(at)) {
    return "on the stack of the host";
  }
  for (const Shared* own : all_shared) {
    const Range& range = own->range;
    if (Range{range.begin - kGuard, range.size + 2 * kGuard}.holds(at)) {
      is_shared = range.holds(at) && range.holds(at + size - 1);
      return is_shared ? nullptr : "beside an array in shared memory";
    }
  }
  const bool found = at < kPage ||
      (&__asan_region_is_poisoned != nullptr && !is_all_free(at, size) &&
       __asan_region_is_poisoned(reinterpret_cast<void*>(at), size));
  return found ? "that belong to no tensor" : nullptr;
}

} // namespace

Shared::Shared(size_t size)
    : memory_(static_cast<char*>(malloc(size + 2 * kGuard))) {
  range = {reinterpret_cast<uintptr_t>(memory_) + kGuard, size};
  std::memset(memory_, 0xff, size + 2 * kGuard); // NaN, and wrong indices.
  all_shared.insert(this);
  for (uintptr_t at = range.begin; at < range.begin + size; at += kGrain) {
    reset(cell_of(at)); // Another block may have had it.
  }
}

Shared::~Shared() {
  all_shared.erase(this);
  free(memory_);
}

void begin_launch(Range of_threads, Range of_host, Range of_arguments) {
  stacks = of_threads;
  host_stack = of_host;
  arguments = of_arguments;
  ++launches;
  if (pages.size() > kMaxPages) {
    pages.clear();
    last_page = nullptr;
  }
}

void begin_block(size_t block) {
  blocks = static_cast<uint32_t>(block);
  block_meetings = 0;
  std::fill(warp_meetings, warp_meetings + kMaxThreads, 0);
}

void block_met() {
  ++block_meetings;
}

void warp_met(unsigned thread) {
  ++warp_meetings[thread];
}

bool look(
    unsigned thread, uintptr_t at, size_t size, Use use, std::string& wrong) {
  if (arguments.holds(at)) {
    return false;
  }
  const char* does = use == Use::read ? "reads " : "writes ";
  auto say = [&](const std::string& what) {
    wrong = does + std::to_string(size) + " bytes " + what;
  };
  bool is_shared = false;
  if (const char* place = place_of(at, size, is_shared)) {
    say(place);
    return is_shared;
  }
  const Mark now{
      static_cast<uint32_t>(blocks * kMaxThreads + thread + 1),
      block_meetings, warp_meetings[thread]};
  for (uintptr_t k = at / kGrain * kGrain; k < at + size; k += kGrain) {
    Cell& cell = cell_of(k);
    if (is_shared && use != Use::write && cell.writer.thread == 0) {
      say("of shared memory that no thread has written");
      return true;
    }
    if (const char* other = race_of(cell, now, use)) {
      say(std::string("that another thread ") + other +
          ", with no barrier between them");
      return is_shared;
    }
    remember(cell, now, use);
  }
  return is_shared;
}

} // namespace emulator::memory

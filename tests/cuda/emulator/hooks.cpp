// What the compiler calls, in place of the sanitizers' runtimes, which know
// nothing of the threads of the emulated device: before each use of memory
// (-fsanitize=thread), and where behaviour is undefined
// (-fsanitize=alignment,bounds,shift).
#include <string>

#include "memory.h"

using emulator::look;
using emulator::memory::Use;

#define EMULATOR_HOOKS(size)                                      \
  extern "C" void __tsan_read##size(uintptr_t at) {               \
    look(at, size, Use::read);                                    \
  }                                                               \
  extern "C" void __tsan_write##size(uintptr_t at) {              \
    look(at, size, Use::write);                                   \
  }                                                               \
  extern "C" void __tsan_unaligned_read##size(uintptr_t at) {     \
    look(at, size, Use::read);                                    \
  }                                                               \
  extern "C" void __tsan_unaligned_write##size(uintptr_t at) {    \
    look(at, size, Use::write);                                   \
  }
EMULATOR_HOOKS(1)
EMULATOR_HOOKS(2)
EMULATOR_HOOKS(4)
EMULATOR_HOOKS(8)
EMULATOR_HOOKS(16)

extern "C" void __tsan_read_range(uintptr_t at, size_t size) {
  look(at, size, Use::read);
}
extern "C" void __tsan_write_range(uintptr_t at, size_t size) {
  look(at, size, Use::write);
}
extern "C" void __tsan_init() {}
extern "C" void __tsan_vptr_update(void*, void*) {}

// Of the host alone, as kernels have those of cuda_runtime.h.
#define EMULATOR_ATOMICS(bits, T)                                           \
  extern "C" T __tsan_atomic##bits##_load(const volatile T* at, int) {      \
    return __atomic_load_n(at, __ATOMIC_SEQ_CST);                           \
  }                                                                         \
  extern "C" void __tsan_atomic##bits##_store(volatile T* at, T v, int) {   \
    __atomic_store_n(at, v, __ATOMIC_SEQ_CST);                              \
  }                                                                         \
  extern "C" T __tsan_atomic##bits##_fetch_add(volatile T* at, T v, int) {  \
    return __atomic_fetch_add(at, v, __ATOMIC_SEQ_CST);                     \
  }                                                                         \
  extern "C" T __tsan_atomic##bits##_fetch_sub(volatile T* at, T v, int) {  \
    return __atomic_fetch_sub(at, v, __ATOMIC_SEQ_CST);                     \
  }
EMULATOR_ATOMICS(8, uint8_t)
EMULATOR_ATOMICS(32, uint32_t)
EMULATOR_ATOMICS(64, uint64_t)

namespace {

// How all data of the compiler begin.
struct Source {
  const char* file;
  uint32_t line, column;
};

[[noreturn]] void undefined(const void* data, const char* what) {
  const auto* at = static_cast<const Source*>(data);
  emulator::report(
      std::string(at->file) + ":" + std::to_string(at->line) + " " + what);
  __builtin_trap();
}

} // namespace

extern "C" void __ubsan_handle_type_mismatch_v1_abort(void* data, void*) {
  undefined(data, "uses memory that is not aligned for its type");
}
extern "C" void __ubsan_handle_out_of_bounds_abort(void* data, void*) {
  undefined(data, "has an index beyond its array");
}
extern "C" void __ubsan_handle_shift_out_of_bounds_abort(
    void* data, void*, void*) {
  undefined(data, "shifts by more bits than there are");
}

// Which of the instruction sets that code is compiled for serves here.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define GMOE_X86 1
#include <immintrin.h>
#else
#define GMOE_X86 0 // Other compilers and processors: the plain code.
#endif

// For plain loops: compiled for several sets and chosen by the loader.
#if GMOE_X86 && defined(__linux__)
#define GMOE_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define GMOE_CLONES
#endif

namespace gmoe::cpu {

enum class Target { kPlain, kAvx2, kAvx512 };

inline Target target() {
#if GMOE_X86
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") &&
      __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  if (avx2 && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    return Target::kAvx512;
  }
  if (avx2) {
    return Target::kAvx2;
  }
#endif
  return Target::kPlain;
}

} // namespace gmoe::cpu

// Compiles the file GMOE_BODY once for each set of instructions, and chooses
// the one that serves here. The body defines `kernels<T>()`; GMOE_LANES tells
// it which loops it has by hand. The compiler's own macros do not: before GCC
// 13, they do not follow the pragma in C++.
//
// To be included after target.h in an unnamed namespace, once per source, so
// without a guard; GMOE_DEFINE_LOOPS is for after it.

namespace plain {
#define GMOE_LANES 0
#include GMOE_BODY
#undef GMOE_LANES
} // namespace plain

#if GMOE_X86
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
namespace avx2 {
#define GMOE_LANES 256
#include GMOE_BODY
#undef GMOE_LANES
} // namespace avx2
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")
namespace avx512 {
#define GMOE_LANES 512
#include GMOE_BODY
#undef GMOE_LANES
} // namespace avx512
#pragma GCC pop_options
#endif

template <typename T>
auto choose_kernels() {
#if GMOE_X86
  switch (target()) {
    case Target::kAvx512:
      return avx512::kernels<T>();
    case Target::kAvx2:
      return avx2::kernels<T>();
    default:
      break;
  }
#endif
  return plain::kernels<T>();
}

// Defines the function NAME<T>(), which gives the best LOOPS<T> for this
// processor.
#define GMOE_DEFINE_LOOPS(LOOPS, NAME)                   \
  template <typename T>                                  \
  const LOOPS<T>& NAME() {                               \
    static const LOOPS<T> chosen = choose_kernels<T>();  \
    return chosen;                                       \
  }                                                      \
  template const LOOPS<float>& NAME<float>();            \
  template const LOOPS<double>& NAME<double>();

#define GMOE_DEFINE_HALF_LOOPS(LOOPS, NAME)              \
  template const LOOPS<torch::headeronly::Half>&         \
  NAME<torch::headeronly::Half>();                       \
  template const LOOPS<torch::headeronly::BFloat16>&     \
  NAME<torch::headeronly::BFloat16>();

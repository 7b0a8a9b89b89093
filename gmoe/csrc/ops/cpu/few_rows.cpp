#include "few_rows.h"

#include <type_traits>

#include "target.h"

namespace gmoe::cpu {

namespace {

namespace plain {
#define GMOE_LANES 0
#include "few_rows_body.h"
#undef GMOE_LANES
} // namespace plain

#if GMOE_X86
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
namespace avx2 {
#define GMOE_LANES 256
#include "few_rows_body.h"
#undef GMOE_LANES
} // namespace avx2
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")
namespace avx512 {
#define GMOE_LANES 512
#include "few_rows_body.h"
#undef GMOE_LANES
} // namespace avx512
#pragma GCC pop_options
#endif

template <typename T>
FewRows<T> choose() {
#if GMOE_X86
  switch (target()) {
    case Target::kAvx512:
      return avx512::products<T>();
    case Target::kAvx2:
      return avx2::products<T>();
    default:
      break;
  }
#endif
  return plain::products<T>();
}

} // namespace

template <typename T>
const FewRows<T>& few_rows() {
  static const FewRows<T> chosen = choose<T>();
  return chosen;
}

template const FewRows<float>& few_rows<float>();
template const FewRows<double>& few_rows<double>();

} // namespace gmoe::cpu

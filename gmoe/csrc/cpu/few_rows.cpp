#include "few_rows.h"

#include <type_traits>

#include "target.h"

namespace gmoe::cpu {

namespace {

#define GMOE_BODY "few_rows_body.h"
#include "per_target.h"
#undef GMOE_BODY

} // namespace

template <typename T>
const FewRows<T>& few_rows() {
  static const FewRows<T> chosen = choose_kernels<T>();
  return chosen;
}

template const FewRows<float>& few_rows<float>();
template const FewRows<double>& few_rows<double>();

} // namespace gmoe::cpu

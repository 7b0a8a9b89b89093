#include "norm.h"

#include "target.h"

namespace gmoe::cpu {

namespace {

#define GMOE_BODY "norm_body.h"
#include "per_target.h"
#undef GMOE_BODY

} // namespace

template <typename T>
const NormLoops<T>& norm_loops() {
  static const NormLoops<T> chosen = choose_kernels<T>();
  return chosen;
}

template const NormLoops<float>& norm_loops<float>();
template const NormLoops<double>& norm_loops<double>();
template const NormLoops<torch::headeronly::Half>&
norm_loops<torch::headeronly::Half>();
template const NormLoops<torch::headeronly::BFloat16>&
norm_loops<torch::headeronly::BFloat16>();

} // namespace gmoe::cpu

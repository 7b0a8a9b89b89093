#include "blocks.h"

#include <cstring>

#include "target.h"

namespace gmoe::cpu {

namespace {

#define GMOE_BODY "blocks_body.h"
#include "per_target.h"
#undef GMOE_BODY

} // namespace

template <typename T>
const Blocks<T>& blocks() {
  static const Blocks<T> chosen = choose_kernels<T>();
  return chosen;
}

template const Blocks<float>& blocks<float>();
template const Blocks<double>& blocks<double>();
template const Blocks<torch::headeronly::Half>&
blocks<torch::headeronly::Half>();
template const Blocks<torch::headeronly::BFloat16>&
blocks<torch::headeronly::BFloat16>();

} // namespace gmoe::cpu

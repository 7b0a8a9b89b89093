#include "norm.h"

#include "target.h"

namespace gmoe::cpu {

namespace {

#define GMOE_BODY "norm_body.h"
#include "per_target.h"
#undef GMOE_BODY

} // namespace

GMOE_DEFINE_LOOPS(NormLoops, norm_loops)
GMOE_DEFINE_HALF_LOOPS(NormLoops, norm_loops)

} // namespace gmoe::cpu

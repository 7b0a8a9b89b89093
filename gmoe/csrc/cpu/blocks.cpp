#include "blocks.h"

#include <cstring>

#include "target.h"

namespace gmoe::cpu {

namespace {

#define GMOE_BODY "blocks_body.h"
#include "per_target.h"
#undef GMOE_BODY

} // namespace

GMOE_DEFINE_LOOPS(Blocks, blocks)
GMOE_DEFINE_HALF_LOOPS(Blocks, blocks)

} // namespace gmoe::cpu

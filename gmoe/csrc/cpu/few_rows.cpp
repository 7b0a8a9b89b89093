#include "few_rows.h"

#include <type_traits>

#include "target.h"

namespace gmoe::cpu {

namespace {

#define GMOE_BODY "few_rows_body.h"
#include "per_target.h"
#undef GMOE_BODY

} // namespace

GMOE_DEFINE_LOOPS(FewRows, few_rows)

} // namespace gmoe::cpu

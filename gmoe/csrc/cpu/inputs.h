// The inputs of an op, for those on the CPU.
#pragma once

#include "../inputs.h"

namespace gmoe::cpu {

// There is one CPU: none has to be made the current one.
struct Guard {
  explicit Guard(const Tensor&) {}
};

} // namespace gmoe::cpu

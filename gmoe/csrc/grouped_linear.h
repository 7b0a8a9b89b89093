// What the ops on groups of rows take.
#pragma once

#include "check.h"

namespace gmoe {

inline void take_groups(const Arguments& arguments, Tensor& x, Tensor& ptr) {
  check_real("x", x, false);
  arguments.take("x", x, x.scalar_type(), {kAny, kAny});
  arguments.take("ptr", ptr, ScalarType::Long, {kAny});
  check_ptr("ptr", ptr, x.size(0), true);
}

// The weights of each group are dense, or the transposes of such.
inline void take_weight(
    const Arguments& arguments, const Tensor& x, Tensor& weight,
    std::optional<Tensor>& bias, const Tensor& ptr) {
  const int64_t num_groups = ptr.numel() - 1;
  arguments.check(
      "weight", weight, x.scalar_type(), {num_groups, x.size(1), kAny});
  if (!torch::stable::transpose(weight, 1, 2).is_contiguous()) {
    make_dense(weight);
  }
  arguments.take("bias", bias, x.scalar_type(), {num_groups, weight.size(2)});
}

inline void take_outer(
    const Arguments& arguments, Tensor& x, Tensor& y, Tensor& ptr) {
  take_groups(arguments, x, ptr);
  arguments.take("y", y, x.scalar_type(), {x.size(0), kAny});
}

} // namespace gmoe

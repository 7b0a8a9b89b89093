// The ops on groups of rows. What a device does of them is a class `On`:
//
// - On::Guard(tensor) makes the tensor's device the current one.
// - On::linear(x, weight, bias, ptr, out) and On::outer(x, y, ptr, out) do the
//   work.
#pragma once

#include <optional>

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

template <typename On>
Tensor grouped_linear(
    Tensor x, Tensor weight, std::optional<Tensor> bias, Tensor ptr) {
  const Arguments arguments("x", x);
  take_groups(arguments, x, ptr);
  take_weight(arguments, x, weight, bias, ptr);
  const typename On::Guard guard(x);
  Tensor out = torch::stable::new_empty(x, {x.size(0), weight.size(2)});
  On::linear(x, weight, bias, ptr, out);
  return out;
}

template <typename On>
Tensor grouped_outer(Tensor x, Tensor y, Tensor ptr) {
  const Arguments arguments("x", x);
  take_groups(arguments, x, ptr);
  arguments.take("y", y, x.scalar_type(), {x.size(0), kAny});
  const typename On::Guard guard(x);
  Tensor out = torch::stable::new_empty(
      x, {ptr.numel() - 1, x.size(1), y.size(1)});
  On::outer(x, y, ptr, out);
  return out;
}

} // namespace gmoe

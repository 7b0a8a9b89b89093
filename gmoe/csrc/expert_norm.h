// What the ops that normalise the rows of each expert take.
#pragma once

#include "check.h"

namespace gmoe {

// The rows, the parameters and the statistics, which are the running ones
// before the forward pass and those used after it.
inline void take_norm(
    const Arguments& arguments, Tensor& h, Tensor& gamma, Tensor& beta,
    Tensor& mean, Tensor& var, bool running, double eps) {
  check_real("h", h, false);
  const ScalarType type = h.scalar_type(), sums = sum_type(type);
  arguments.take("h", h, type, {kAny, kAny});
  const int64_t D = h.size(1);
  arguments.take("gamma", gamma, type, {kAny, D});
  const int64_t n = gamma.size(0);
  arguments.take("beta", beta, type, {n, D});
  arguments.take(running ? "running_mean" : "mean", mean, sums, {n, D});
  arguments.take(running ? "running_var" : "var", var, sums, {n, D});
  check_eps(eps);
}

// The pointer of rows ordered by expert.
inline void take_expert_ptr(
    const Arguments& arguments, Tensor& ptr, int64_t num_experts,
    int64_t num_rows) {
  arguments.take("ptr", ptr, ScalarType::Long, {num_experts + 1});
  check_ptr("ptr", ptr, num_rows);
}

} // namespace gmoe

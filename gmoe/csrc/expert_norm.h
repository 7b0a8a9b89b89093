// The ops that normalise the rows of each expert. What a device does of them
// is a class `On`:
//
// - On::Guard(tensor) makes the tensor's device the current one.
// - On::template expert_ptr<Index>(expert, n) is where the slots of each of n
//   experts begin, int64.
// - On::template Norm<T>(in, ptr, measure) takes the rows' own mean and
//   variance, in place of those of `in`, if it is to measure; the methods of
//   it are called below.
#pragma once

#include <tuple>
#include <vector>

#include "inputs.h"
#include "norm.h"

namespace gmoe {

// The pointer of rows ordered by expert.
inline void take_expert_ptr(
    const Arguments& arguments, Tensor& ptr, int64_t num_experts,
    int64_t num_rows) {
  arguments.take("ptr", ptr, ScalarType::Long, {num_experts + 1});
  check_ptr("ptr", ptr, num_rows);
}

struct NormInputs {
  Tensor h, gamma, beta, mean, var;
  double eps;

  int64_t num_rows() const {
    return h.size(0);
  }
  int64_t num_experts() const {
    return gamma.size(0);
  }
  int64_t channels() const {
    return h.size(1);
  }

  // The statistics are the running ones before the forward pass, and those
  // that it used after it.
  Arguments take(bool running) {
    const Arguments arguments("h", h);
    check_real("h", h, false);
    const ScalarType type = h.scalar_type(), sums = sum_type(type);
    arguments.take("h", h, type, {kAny, kAny});
    arguments.take("gamma", gamma, type, {kAny, channels()});
    const int64_t n = num_experts(), D = channels();
    arguments.take("beta", beta, type, {n, D});
    arguments.take(running ? "running_mean" : "mean", mean, sums, {n, D});
    arguments.take(running ? "running_var" : "var", var, sums, {n, D});
    check_eps(eps);
    return arguments;
  }

  void copy_statistics() {
    mean = torch::stable::clone(mean);
    var = torch::stable::clone(var);
  }
};

struct NormGradients {
  Tensor h, gamma, beta;

  explicit NormGradients(const NormInputs& in)
      : h(torch::stable::empty_like(in.h)),
        gamma(torch::stable::empty_like(in.gamma)),
        beta(torch::stable::empty_like(in.beta)) {}
};

// The slot of each row.
struct WeightedSlots {
  Tensor weight, node, expert;

  void take(
      const Arguments& arguments, const NormInputs& in, int64_t num_nodes) {
    const int64_t S = in.num_rows();
    arguments.take("weight", weight, sum_type(in.h.scalar_type()), {S});
    take_slots(arguments, node, expert, S, num_nodes, in.num_experts());
  }
};

template <typename On>
std::tuple<Tensor, Tensor, Tensor> expert_norm(
    Tensor h, Tensor gamma, Tensor beta, Tensor running_mean,
    Tensor running_var, Tensor ptr, bool training, double eps, bool relu) {
  NormInputs in{h, gamma, beta, running_mean, running_var, eps};
  take_expert_ptr(in.take(true), ptr, in.num_experts(), in.num_rows());
  const typename On::Guard guard(h);
  in.copy_statistics();
  Tensor out = torch::stable::empty_like(in.h);
  with_channel_type("h", h.scalar_type(), [&](auto value) {
    using T = decltype(value);
    const typename On::template Norm<T> norm(in, ptr, training);
    norm.apply(relu, out.template mutable_data_ptr<T>());
  });
  return {out, in.mean, in.var};
}

template <typename On>
std::tuple<Tensor, Tensor, Tensor> expert_norm_backward(
    Tensor grad, Tensor h, Tensor gamma, Tensor beta, Tensor mean, Tensor var,
    Tensor ptr, bool training, double eps, bool relu) {
  NormInputs in{h, gamma, beta, mean, var, eps};
  const Arguments arguments = in.take(false);
  take_expert_ptr(arguments, ptr, in.num_experts(), in.num_rows());
  arguments.take(
      "grad", grad, h.scalar_type(), {in.num_rows(), in.channels()});
  const typename On::Guard guard(h);
  const NormGradients out(in);
  with_channel_type("h", h.scalar_type(), [&](auto value) {
    using T = decltype(value);
    const typename On::template Norm<T> norm(in, ptr, false);
    const RowGradients<T> incoming{
        grad.template const_data_ptr<T>(), relu};
    norm.backward(incoming, training, out);
  });
  return {out.h, out.gamma, out.beta};
}

template <typename On>
std::tuple<Tensor, Tensor, Tensor> norm_combine(
    Tensor h, Tensor weight, Tensor gamma, Tensor beta, Tensor running_mean,
    Tensor running_var, Tensor node, Tensor expert, int64_t num_nodes,
    bool training, double eps) {
  NormInputs in{h, gamma, beta, running_mean, running_var, eps};
  const Arguments arguments = in.take(true);
  check_count("num_nodes", num_nodes);
  WeightedSlots slots{weight, node, expert};
  slots.take(arguments, in, num_nodes);
  const typename On::Guard guard(h);
  in.copy_statistics();
  Tensor out = torch::stable::new_empty(h, {num_nodes, in.channels()});
  dispatch(h.scalar_type(), node.scalar_type(), [&](auto value, auto index) {
    using T = decltype(value);
    using Index = decltype(index);
    const typename On::template Norm<T> norm(
        in, On::template expert_ptr<Index>(slots.expert, in.num_experts()),
        training);
    norm.template combine<Index>(
        slots, num_nodes, out.template mutable_data_ptr<T>());
  });
  return {out, in.mean, in.var};
}

template <typename On>
std::tuple<Tensor, Tensor, Tensor, Tensor> norm_combine_backward(
    Tensor grad, Tensor h, Tensor weight, Tensor gamma, Tensor beta,
    Tensor mean, Tensor var, Tensor node, Tensor expert, bool training,
    double eps) {
  NormInputs in{h, gamma, beta, mean, var, eps};
  const Arguments arguments = in.take(false);
  arguments.take("grad", grad, h.scalar_type(), {kAny, in.channels()});
  WeightedSlots slots{weight, node, expert};
  slots.take(arguments, in, grad.size(0));
  const typename On::Guard guard(h);
  const NormGradients out(in);
  Tensor grad_weight = torch::stable::empty_like(slots.weight);
  dispatch(h.scalar_type(), node.scalar_type(), [&](auto value, auto index) {
    using T = decltype(value);
    using A = acc_t<T>;
    using Index = decltype(index);
    const typename On::template Norm<T> norm(
        in, On::template expert_ptr<Index>(slots.expert, in.num_experts()),
        false);
    const NodeGradients<T, Index> incoming{
        grad.template const_data_ptr<T>(),
        slots.node.template const_data_ptr<Index>(),
        slots.weight.template const_data_ptr<A>()};
    norm.backward(incoming, training, out);
    norm.grad_weight(incoming, grad_weight.template mutable_data_ptr<A>());
  });
  return {out.h, grad_weight, out.gamma, out.beta};
}

} // namespace gmoe

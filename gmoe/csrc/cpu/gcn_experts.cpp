// Graph convolutions that transform before they aggregate, on the CPU.
#include "gcn_experts.h"

#include <torch/csrc/stable/library.h>

namespace gmoe::cpu {

namespace {

// Calls f with the experts of the types of these arguments.
template <typename F>
void with_experts(const GcnInputs& in, F f) {
  with_index_type(in.node.scalar_type(), [&](auto index) {
    with_wide_type(in.x.scalar_type(), [&](auto value) {
      f(Experts<decltype(value), decltype(index)>(in), value);
    });
  });
}

std::tuple<Tensor, Tensor> gcn_experts(
    Tensor x,
    Tensor weight,
    Tensor root,
    Tensor node,
    Tensor expert,
    std::vector<Tensor> hops,
    std::vector<int64_t> hop_sizes,
    int64_t num_messages) {
  GcnInputs in{x, weight, root, node, expert, {hops, hop_sizes}};
  in.take(Arguments("x", x));
  const int64_t D = weight.size(2);
  Tensor out = torch::stable::new_empty(x, {node.numel(), D});
  Tensor mask;
  with_experts(in, [&](auto experts, auto value) {
    using T = decltype(value);
    mask = new_mask(in.hops, x, experts.message(), num_messages, D);
    experts.forward(out.template mutable_data_ptr<T>(), bits_of(mask));
  });
  return {out, mask};
}

std::vector<Tensor> gcn_experts_backward(
    Tensor grad,
    Tensor mask,
    Tensor x,
    Tensor weight,
    Tensor root,
    Tensor node,
    Tensor expert,
    std::vector<Tensor> hops,
    std::vector<int64_t> hop_sizes,
    bool needs_x) {
  GcnInputs in{x, weight, root, node, expert, {hops, hop_sizes}};
  const Arguments arguments("x", x);
  in.take(arguments);
  take_saved(arguments, in.x, node.numel(), weight.size(2), grad, mask);
  MessageGrads grads(in.x, in.hops);
  grads.root = torch::stable::empty_like(in.root);
  const Tensor grad_weight = torch::stable::empty_like(in.weight);
  with_experts(in, [&](auto experts, auto value) {
    using T = decltype(value);
    check_mask(experts.message(), mask);
    grads.x = experts.backward(
        grad.template const_data_ptr<T>(), bits_of(mask), needs_x,
        grad_weight, ParameterGrads<T>(grads));
  });
  std::vector<Tensor> out = grads.list();
  out.push_back(grad_weight);
  return out;
}

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CPU, m) {
  m.impl("gcn_experts", TORCH_BOX(&gcn_experts));
  m.impl("gcn_experts_backward", TORCH_BOX(&gcn_experts_backward));
}

} // namespace gmoe::cpu

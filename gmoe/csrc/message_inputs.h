// The op of routed message passing, whatever the device: from its arguments to
// the pointers of RoutedMessage, and its outputs.
#pragma once

#include <optional>
#include <tuple>
#include <vector>

#include "hop_inputs.h"

namespace gmoe {

// Where the gradients go: tensors like the parameters, not filled yet.
struct MessageGrads {
  Tensor x;
  std::vector<std::vector<Tensor>> tables; // Of each hop.
  std::optional<Tensor> root, self_scale;
  std::vector<Tensor> edge_weight;

  MessageGrads(const Tensor& rows, const HopInputs& hops)
      : x(torch::stable::empty_like(rows)) {
    for (const HopInput& hop : hops) {
      tables.emplace_back();
      for (const Tensor& table : hop.tables) {
        tables.back().push_back(torch::stable::empty_like(table));
      }
    }
  }

  // In the order in which the op returns them.
  std::vector<Tensor> list() const {
    std::vector<Tensor> out{x};
    for (const auto& own : tables) {
      out.insert(out.end(), own.begin(), own.end());
    }
    for (const auto& own : {root, self_scale}) {
      if (own) {
        out.push_back(*own);
      }
    }
    out.insert(out.end(), edge_weight.begin(), edge_weight.end());
    return out;
  }
};

// Slots, the edges, and the rows that the slots look at.
struct MessageInputs {
  Tensor x, node, expert;
  HopInputs hops;
  std::optional<Tensor> row_of, root, self_scale;
  bool own_rows;

  int64_t num_experts() const {
    return hops.num_experts();
  }

  void take(const Arguments& arguments) {
    check_real("x", x, false);
    check_integer("node", node);
    const ScalarType type = x.scalar_type(), index = node.scalar_type();
    arguments.take("x", x, type, {kAny, kAny});
    const int64_t D = x.size(1), n = num_experts();
    hops.take(arguments, type, index, D);
    const int64_t N = hops.num_nodes();
    take_slots(arguments, node, expert, kAny, N, n);
    take_rows(arguments, index, N);
    STD_TORCH_CHECK(
        root.has_value() == hops.front().root_weight.has_value(),
        "'root' must be given with 'root_weight' and only then, got ",
        root.has_value() ? "it alone" : "'root_weight' alone");
    arguments.take("root", root, type, {n, D});
    arguments.take("self_scale", self_scale, type, {n});
  }

  // Experts share the rows of nodes, or have rows of their own.
  void take_rows(const Arguments& arguments, ScalarType index, int64_t N) {
    STD_TORCH_CHECK(
        own_rows || !row_of.has_value(),
        "'own_rows' must be true where 'row_of' is given, got false");
    STD_TORCH_CHECK(
        !own_rows || !self_scale.has_value(),
        "'self_scale' must be None where experts have rows of their own, got "
        "a tensor");
    arguments.take("row_of", row_of, index, {num_experts(), N});
    if (!row_of.has_value()) {
      const int64_t rows = own_rows ? N * num_experts() : N;
      STD_TORCH_CHECK(
          x.size(0) == rows, "'x' must have ", rows, " rows, got ",
          x.size(0));
    }
  }

  MessageGrads new_grads(bool needs_edge_weight) const {
    MessageGrads grads(x, hops);
    if (root) {
      grads.root = torch::stable::empty_like(*root);
    }
    if (self_scale) {
      grads.self_scale = torch::stable::empty_like(*self_scale);
    }
    STD_TORCH_CHECK(
        !needs_edge_weight || hops.front().edge_weight.has_value(),
        "'needs_edge_weight' must be false where there is no 'edge_weight', "
        "got true");
    for (size_t h = 0; needs_edge_weight && h < hops.size(); ++h) {
      grads.edge_weight.push_back(
          torch::stable::empty_like(*hops[h].edge_weight));
    }
    return grads;
  }

  template <typename T, typename Index>
  RoutedMessage<T, Index> view() const {
    RoutedMessage<T, Index> op{};
    op.x = x.const_data_ptr<T>();
    op.node = node.const_data_ptr<Index>();
    op.expert = expert.const_data_ptr<Index>();
    op.row_of = row_of ? row_of->const_data_ptr<Index>() : nullptr;
    op.own_rows = own_rows;
    op.root = root ? root->const_data_ptr<T>() : nullptr;
    op.self_scale = self_scale ? self_scale->const_data_ptr<T>() : nullptr;
    op.num_slots = node.numel();
    op.num_experts = num_experts();
    op.channels = x.size(1);
    hops.fill(op);
    return op;
  }
};

// What the backward pass gets: the gradients of the slots, and the bits.
inline void take_saved(
    const Arguments& arguments, const Tensor& x, int64_t num_slots,
    int64_t channels, Tensor& grad, Tensor& mask) {
  arguments.take("grad", grad, x.scalar_type(), {num_slots, channels});
  arguments.take("mask", mask, ScalarType::Int, {kAny, num_blocks(channels)});
}

// The op on a device, whose forward(in, op, num_messages, out) returns the bits
// and whose backward(in, op, grad, mask, grads) fills the gradients.
template <typename Device>
std::tuple<Tensor, Tensor> routed_message(
    Tensor x,
    Tensor node,
    Tensor expert,
    std::vector<Tensor> hops,
    std::vector<int64_t> hop_sizes,
    std::optional<Tensor> row_of,
    std::optional<Tensor> root,
    std::optional<Tensor> self_scale,
    bool own_rows,
    int64_t num_messages) {
  MessageInputs in{
      x, node, expert, {hops, hop_sizes}, row_of, root, self_scale, own_rows};
  in.take(Arguments("x", x));
  Tensor out = torch::stable::new_empty(x, {in.node.numel(), x.size(1)});
  Tensor mask;
  dispatch(x.scalar_type(), node.scalar_type(), [&](auto value, auto index) {
    using T = decltype(value);
    mask = Device::forward(
        in, in.view<T, decltype(index)>(), num_messages,
        out.template mutable_data_ptr<T>());
  });
  return {out, mask};
}

template <typename Device>
std::vector<Tensor> routed_message_backward(
    Tensor grad,
    Tensor mask,
    Tensor x,
    Tensor node,
    Tensor expert,
    std::vector<Tensor> hops,
    std::vector<int64_t> hop_sizes,
    std::optional<Tensor> row_of,
    std::optional<Tensor> root,
    std::optional<Tensor> self_scale,
    bool own_rows,
    bool needs_edge_weight) {
  MessageInputs in{
      x, node, expert, {hops, hop_sizes}, row_of, root, self_scale, own_rows};
  const Arguments arguments("x", x);
  in.take(arguments);
  take_saved(arguments, in.x, in.node.numel(), x.size(1), grad, mask);
  const MessageGrads grads = in.new_grads(needs_edge_weight);
  dispatch(x.scalar_type(), node.scalar_type(), [&](auto value, auto index) {
    using T = decltype(value);
    Device::backward(
        in, in.view<T, decltype(index)>(),
        grad.template const_data_ptr<T>(), mask, grads);
  });
  return grads.list();
}

} // namespace gmoe

// Slots ordered by node, and where they go when they are ordered by expert.
#pragma once

#include <cstdint>
#include <tuple>

#include <torch/csrc/stable/ops.h>

#include "inputs.h"

namespace gmoe {

template <typename Weight, typename Index>
struct Slots {
  const Weight* weight;
  const Index* expert;
  const Index* ptr;
  int64_t num_slots, num_nodes, num_experts;
  Weight* out_weight;
  Index *out_ptr, *out_node, *out_expert, *out_order, *out_position;

  // Slot s, of node i, becomes slot p.
  GMOE_HOST_DEVICE void move(int64_t s, int64_t i, int64_t p) const {
    out_node[p] = static_cast<Index>(i);
    out_expert[p] = expert[s];
    out_order[p] = static_cast<Index>(s);
    out_position[s] = static_cast<Index>(p);
    out_weight[p] = weight[s];
  }
};

// The weights, the pointer of the experts, the nodes, the experts, the order
// and the positions.
using GroupedSlots =
    std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;

// Calls f with the Slots of these tensors.
template <typename F>
GroupedSlots with_slots(
    Tensor weight, Tensor expert, Tensor ptr, int64_t num_experts, F f) {
  const Arguments arguments("expert", expert);
  check_integer("expert", expert);
  check_real("weight", weight, false);
  check_count("num_experts", num_experts);
  arguments.take("expert", expert, expert.scalar_type(), {kAny});
  const int64_t S = expert.numel();
  arguments.take("weight", weight, weight.scalar_type(), {S});
  arguments.take("ptr", ptr, expert.scalar_type(), {kAny});
  check_ptr("ptr", ptr, S);
  check_ids("expert", expert, num_experts);
  auto index = [&](int64_t size) {
    return torch::stable::new_empty(expert, {size});
  };
  Tensor out_weight = torch::stable::new_empty(weight, {S});
  Tensor out_ptr = index(num_experts + 1), node = index(S);
  Tensor out_expert = index(S), order = index(S), position = index(S);
  auto run = [&](auto weight_value, auto index_value) {
    using Weight = decltype(weight_value);
    using Index = decltype(index_value);
    f(Slots<Weight, Index>{
        static_cast<const Weight*>(weight.data_ptr()),
        expert.template const_data_ptr<Index>(),
        ptr.template const_data_ptr<Index>(),
        S,
        ptr.numel() - 1,
        num_experts,
        static_cast<Weight*>(out_weight.data_ptr()),
        out_ptr.template mutable_data_ptr<Index>(),
        node.template mutable_data_ptr<Index>(),
        out_expert.template mutable_data_ptr<Index>(),
        order.template mutable_data_ptr<Index>(),
        position.template mutable_data_ptr<Index>()});
  };
  with_index_type(expert.scalar_type(), [&](auto index_value) {
    // Weights are moved, whatever their type.
    switch (weight.element_size()) {
      case 2:
        return run(uint16_t(), index_value);
      case 4:
        return run(uint32_t(), index_value);
      default:
        return run(uint64_t(), index_value);
    }
  });
  return {out_weight, out_ptr, node, out_expert, order, position};
}

} // namespace gmoe

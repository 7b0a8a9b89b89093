// From the tensors of an op to the pointers of RoutedMessage.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "check.h"
#include "routed_message.h"

namespace gmoe {

// So many slots, ordered by expert.
inline void take_slots(
    const Arguments& arguments, Tensor& node, Tensor& expert,
    int64_t num_slots, int64_t num_nodes, int64_t num_experts) {
  check_integer("node", node);
  const ScalarType index = node.scalar_type();
  arguments.take("node", node, index, {num_slots});
  arguments.take("expert", expert, index, {node.size(0)});
  check_ids("node", node, num_nodes);
  check_ids("expert", expert, num_experts);
  check_rising("expert", expert);
}

// Slots with the rows h, a weight each, and an expert that is a row of gamma.
inline void take_weighted_slots(
    const Arguments& arguments, const Tensor& h, Tensor& weight, Tensor& node,
    Tensor& expert, int64_t num_nodes, const Tensor& gamma) {
  const int64_t S = h.size(0);
  arguments.take("weight", weight, sum_type(h.scalar_type()), {S});
  take_slots(
      arguments, node, expert, S, num_nodes, gamma.size(0));
}

// The edges of all hops. Lists have an element per hop, tables and codes
// num_tables[h] elements for hop h, edge_weight and root_weight may be empty.
struct HopInputs {
  std::vector<int64_t> num_experts;
  std::vector<Tensor> ptr, source;
  std::vector<int64_t> num_tables;
  std::vector<Tensor> tables, codes, edge_weight, root_weight;

  int64_t num_nodes() const {
    return ptr[0].numel() - 1;
  }

  // Of an op that has so many experts.
  void take(
      const Arguments& arguments, ScalarType type, ScalarType index,
      int64_t channels, int64_t experts) {
    check_lists(experts);
    check_not_empty("ptr", ptr[0]);
    const int64_t N = num_nodes();
    size_t next = 0;
    for (size_t h = 0; h < num_experts.size(); ++h) {
      arguments.take("source", source[h], index, {kAny});
      const int64_t E = source[h].numel();
      arguments.take("ptr", ptr[h], index, {N + 1});
      check_ptr("ptr", ptr[h], E);
      check_ids("source", source[h], N);
      for (int64_t t = 0; t < num_tables[h]; ++t, ++next) {
        take_table(arguments, h, next, type, index, channels);
      }
      if (!edge_weight.empty()) {
        arguments.take("edge_weight", edge_weight[h], sum_type(type), {E});
      }
      if (!root_weight.empty()) {
        arguments.take("root_weight", root_weight[h], sum_type(type), {N});
      }
    }
  }

  // For how many messages bits may be kept; 0 is for none.
  void check_messages(
      int64_t num_messages, int64_t needed, int64_t num_slots) const {
    int64_t most = root_weight.empty() ? 0 : num_slots;
    for (size_t h = 0; h < source.size(); ++h) {
      most += num_experts[h] * source[h].numel();
    }
    most = std::max(most, needed);
    STD_TORCH_CHECK(
        num_messages == 0 ||
            (num_messages >= needed && num_messages <= most),
        "'num_messages' must be 0 or from ", needed, " to ", most, ", got ",
        num_messages);
  }

 private:
  void check_lists(int64_t experts) const {
    const size_t hops = num_experts.size();
    STD_TORCH_CHECK(
        hops >= 1 && hops <= kMaxHops, "'hop_experts' must have 1 to ",
        kMaxHops, " elements, got ", hops);
    auto check_size = [](const char* name, size_t size, size_t wanted) {
      STD_TORCH_CHECK(
          size == wanted, "'", name, "' must have ", wanted,
          " elements, got ", size);
    };
    check_size("ptr", ptr.size(), hops);
    check_size("source", source.size(), hops);
    check_size("num_tables", num_tables.size(), hops);
    if (!edge_weight.empty()) {
      check_size("edge_weight", edge_weight.size(), hops);
    }
    if (!root_weight.empty()) {
      check_size("root_weight", root_weight.size(), hops);
    }
    int64_t total = 0, sum = 0;
    for (size_t h = 0; h < hops; ++h) {
      STD_TORCH_CHECK(
          num_tables[h] >= 0 && num_tables[h] <= 2,
          "'num_tables' must hold values from 0 to 2, got ", num_tables[h]);
      check_count("hop_experts", num_experts[h]);
      total += num_tables[h];
      sum += num_experts[h];
    }
    STD_TORCH_CHECK(
        sum == experts, "'hop_experts' must add up to the number of experts, ",
        experts, ", got ", sum);
    check_size("tables", tables.size(), static_cast<size_t>(total));
    check_size("codes", codes.size(), static_cast<size_t>(total));
  }

  // Experts have rows of their own, or share them.
  void take_table(
      const Arguments& arguments, size_t h, size_t at, ScalarType type,
      ScalarType index, int64_t channels) {
    Tensor& table = tables[at];
    arguments.take("tables", table, type, {kAny, kAny, channels});
    STD_TORCH_CHECK(
        table.size(0) == 1 ||
            (table.size(0) == num_experts[h] && num_experts[h] > 0),
        "'tables' must have rows for 1 or ", num_experts[h],
        " experts, got shape ", text_of(table.sizes()));
    arguments.take("codes", codes[at], index, {source[h].numel()});
    check_ids("codes", codes[at], table.size(1));
  }

 public:
  template <typename T, typename Index>
  void fill(RoutedMessage<T, Index>& op) const {
    op.num_hops = static_cast<int>(num_experts.size());
    op.num_nodes = ptr[0].numel() - 1;
    int64_t first = 0;
    size_t next = 0;
    for (int h = 0; h < op.num_hops; ++h) {
      Hop<T, Index>& hop = op.hop[h];
      hop = {};
      hop.first_expert = first;
      hop.num_experts = num_experts[h];
      first += num_experts[h];
      hop.ptr = ptr[h].const_data_ptr<Index>();
      hop.source = source[h].const_data_ptr<Index>();
      for (int t = 0; t < num_tables[h]; ++t, ++next) {
        const Tensor& table = tables[next];
        hop.table[t] = table.const_data_ptr<T>();
        hop.code[t] = codes[next].const_data_ptr<Index>();
        hop.num_codes[t] = table.size(1);
        hop.table_stride[t] =
            table.size(0) > 1 ? table.size(1) * table.size(2) : 0;
      }
      if (!edge_weight.empty()) {
        hop.edge_weight = edge_weight[h].const_data_ptr<acc_t<T>>();
      }
      if (!root_weight.empty()) {
        hop.root_weight = root_weight[h].const_data_ptr<acc_t<T>>();
      }
    }
  }
};

// Slots, the rows that they look at, and the edges.
struct MessageInputs {
  Tensor x, node, expert;
  std::optional<Tensor> row_of, root, self_scale;
  int64_t num_experts;
  bool own_rows;
  HopInputs hops;

  void take(const Arguments& arguments) {
    check_real("x", x, false);
    check_integer("node", node);
    const ScalarType type = x.scalar_type(), index = node.scalar_type();
    arguments.take("x", x, type, {kAny, kAny});
    const int64_t D = x.size(1);
    check_count("num_experts", num_experts);
    hops.take(arguments, type, index, D, num_experts);
    const int64_t N = hops.num_nodes();
    take_slots(arguments, node, expert, kAny, N, num_experts);
    take_rows(arguments, index, N);
    STD_TORCH_CHECK(
        root.has_value() == !hops.root_weight.empty(),
        "'root' must be given with 'root_weight' and only then, got ",
        root.has_value() ? "it alone" : "'root_weight' alone");
    arguments.take("root", root, type, {num_experts, D});
    arguments.take("self_scale", self_scale, type, {num_experts});
  }

  void check_needs(bool needs_edge_weight) const {
    STD_TORCH_CHECK(
        !needs_edge_weight || !hops.edge_weight.empty(),
        "'needs_edge_weight' must be false where 'edge_weight' is empty, got "
        "true");
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
    arguments.take("row_of", row_of, index, {num_experts, N});
    if (!row_of.has_value()) {
      const int64_t rows = own_rows ? N * num_experts : N;
      STD_TORCH_CHECK(
          x.size(0) == rows, "'x' must have ", rows, " rows, got ",
          x.size(0));
    }
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
    op.num_experts = num_experts;
    op.channels = x.size(1);
    hops.fill(op);
    return op;
  }
};

// Calls f with a value of a type of channels.
template <typename F>
void with_channel_type(const char* name, ScalarType type, F f) {
  switch (type) {
    case ScalarType::Float:
      return f(float());
    case ScalarType::Double:
      return f(double());
    case ScalarType::Half:
      return f(torch::headeronly::Half());
    case ScalarType::BFloat16:
      return f(torch::headeronly::BFloat16());
    default:
      STD_TORCH_CHECK(
          false, "'", name,
          "' must be float32, float64, float16 or bfloat16, got ",
          name_of(type));
  }
}

template <typename F>
void with_index_type(ScalarType type, F f) {
  STD_TORCH_CHECK(
      type == ScalarType::Long || type == ScalarType::Int,
      "indices must be int32 or int64, got ", name_of(type));
  type == ScalarType::Long ? f(int64_t()) : f(int32_t());
}

// Calls f with a value of the type of the channels and one of the indices.
template <typename F>
void dispatch(ScalarType type, ScalarType index, F f) {
  with_index_type(index, [&](auto index_value) {
    with_channel_type("x", type, [&](auto value) { f(value, index_value); });
  });
}

} // namespace gmoe

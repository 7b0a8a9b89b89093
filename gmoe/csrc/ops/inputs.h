// From the tensors of an op to the pointers of RoutedMessage.
#pragma once

#include <optional>
#include <vector>

#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include "routed_message.h"

namespace gmoe {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

// The edges of all hops. Lists have an element per hop, tables and codes
// num_tables[h] elements for hop h, edge_weight and root_weight may be empty.
struct HopInputs {
  std::vector<int64_t> num_experts;
  std::vector<Tensor> ptr, source;
  std::vector<int64_t> num_tables;
  std::vector<Tensor> tables, codes, edge_weight, root_weight;

  void check(ScalarType type, ScalarType index, int64_t channels) const {
    const size_t hops = num_experts.size();
    STD_TORCH_CHECK(
        hops >= 1 && hops <= kMaxHops, "there must be 1 to ", kMaxHops,
        " hops, got ", hops);
    STD_TORCH_CHECK(
        ptr.size() == hops && source.size() == hops &&
            num_tables.size() == hops && tables.size() == codes.size() &&
            (edge_weight.empty() || edge_weight.size() == hops) &&
            (root_weight.empty() || root_weight.size() == hops),
        "the lists of tensors must have an element per hop");
    size_t total = 0;
    for (const int64_t count : num_tables) {
      STD_TORCH_CHECK(
          count >= 0 && count <= 2, "a hop has at most two tables, got ",
          count);
      total += count;
    }
    STD_TORCH_CHECK(
        total == tables.size(), "'tables' must have ", total,
        " elements, got ", tables.size());
    for (const Tensor& table : tables) {
      STD_TORCH_CHECK(
          table.dim() == 3 && table.size(2) == channels &&
              table.scalar_type() == type,
          "'tables' must have three dimensions, and the type and the "
          "channels of 'x'");
    }
    for (const auto* list : {&ptr, &source, &codes}) {
      for (const Tensor& tensor : *list) {
        STD_TORCH_CHECK(
            tensor.scalar_type() == index,
            "all indices must have the same type");
      }
    }
  }

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

  void check() const {
    STD_TORCH_CHECK(x.dim() == 2, "'x' must have two dimensions");
    hops.check(x.scalar_type(), node.scalar_type(), x.size(1));
    STD_TORCH_CHECK(
        root.has_value() == !hops.root_weight.empty(),
        "'root' and 'root_weight' go together");
    STD_TORCH_CHECK(
        !own_rows || !self_scale.has_value(),
        "'self_scale' needs rows that the experts share");
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
          false, "'", name, "' must be float32, float64, float16 or bfloat16");
  }
}

template <typename F>
void with_index_type(ScalarType type, F f) {
  STD_TORCH_CHECK(
      type == ScalarType::Long || type == ScalarType::Int,
      "indices must have the type int32 or int64");
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

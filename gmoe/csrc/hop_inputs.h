// The edges among the arguments of an op: all hops in one list of tensors.
#pragma once

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "inputs.h"
#include "routed_message.h"

namespace gmoe {

// The edges of one hop: see MessageHop in gmoe/ops/message.py.
struct HopInput {
  int64_t num_experts;
  Tensor ptr, source;
  std::vector<Tensor> tables, codes;
  std::optional<Tensor> edge_weight, root_weight;
};

// All hops, which are packed as gmoe/ops/hops.py packs them: for each hop its
// tensors, and four sizes that say which they are.
class HopInputs : public std::vector<HopInput> {
 public:
  HopInputs(
      const std::vector<Tensor>& tensors, const std::vector<int64_t>& sizes) {
    size_t needed = 0, next = 0;
    check_sizes(sizes, needed);
    STD_TORCH_CHECK(
        tensors.size() == needed, "'hops' must have ", needed,
        " tensors for these 'hop_sizes', got ", tensors.size());
    auto take = [&](int64_t count) {
      next += count;
      return std::vector<Tensor>(
          tensors.begin() + (next - count), tensors.begin() + next);
    };
    for (size_t at = 0; at < sizes.size(); at += kSizes) {
      HopInput hop{sizes[at], take(1)[0], take(1)[0]};
      hop.tables = take(sizes[at + 1]);
      hop.codes = take(sizes[at + 1]);
      if (sizes[at + 2] != 0) {
        hop.edge_weight = take(1)[0];
      }
      if (sizes[at + 3] != 0) {
        hop.root_weight = take(1)[0];
      }
      push_back(std::move(hop));
    }
  }

  int64_t num_nodes() const {
    return front().ptr.numel() - 1;
  }

  int64_t num_experts() const {
    int64_t sum = 0;
    for (const HopInput& hop : *this) {
      sum += hop.num_experts;
    }
    return sum;
  }

  void take(
      const Arguments& arguments, ScalarType type, ScalarType index,
      int64_t channels) {
    check_not_empty("ptr", front().ptr);
    const int64_t N = num_nodes();
    for (HopInput& hop : *this) {
      arguments.take("source", hop.source, index, {kAny});
      const int64_t E = hop.source.numel();
      arguments.take("ptr", hop.ptr, index, {N + 1});
      check_ptr("ptr", hop.ptr, E);
      check_ids("source", hop.source, N);
      for (size_t t = 0; t < hop.tables.size(); ++t) {
        Tensor &table = hop.tables[t], &code = hop.codes[t];
        arguments.take("tables", table, type, {kAny, kAny, channels});
        // Experts have rows of their own, or share them.
        STD_TORCH_CHECK(
            table.size(0) == 1 ||
                (table.size(0) == hop.num_experts && hop.num_experts > 0),
            "'tables' must have rows for 1 or ", hop.num_experts,
            " experts, got shape ", text_of(table.sizes()));
        arguments.take("codes", code, index, {E});
        check_ids("codes", code, table.size(1));
      }
      arguments.take("edge_weight", hop.edge_weight, sum_type(type), {E});
      arguments.take("root_weight", hop.root_weight, sum_type(type), {N});
    }
  }

  // For how many messages bits may be kept; 0 is for none.
  void check_messages(
      int64_t num_messages, int64_t needed, int64_t num_slots) const {
    int64_t most = front().root_weight ? num_slots : 0;
    for (const HopInput& hop : *this) {
      most += hop.num_experts * hop.source.numel();
    }
    most = std::max(most, needed);
    STD_TORCH_CHECK(
        num_messages == 0 ||
            (num_messages >= needed && num_messages <= most),
        "'num_messages' must be 0 or from ", needed, " to ", most, ", got ",
        num_messages);
  }

  template <typename T, typename Index>
  void fill(RoutedMessage<T, Index>& op) const {
    op.num_hops = static_cast<int>(size());
    op.num_nodes = num_nodes();
    int64_t first = 0;
    for (int h = 0; h < op.num_hops; ++h) {
      const HopInput& from = (*this)[h];
      Hop<T, Index>& hop = op.hop[h];
      hop = {};
      hop.first_expert = first;
      hop.num_experts = from.num_experts;
      first += from.num_experts;
      hop.ptr = from.ptr.const_data_ptr<Index>();
      hop.source = from.source.const_data_ptr<Index>();
      for (size_t t = 0; t < from.tables.size(); ++t) {
        const Tensor& table = from.tables[t];
        hop.table[t] = table.const_data_ptr<T>();
        hop.code[t] = from.codes[t].const_data_ptr<Index>();
        hop.num_codes[t] = table.size(1);
        hop.table_stride[t] =
            table.size(0) > 1 ? table.size(1) * table.size(2) : 0;
      }
      if (from.edge_weight) {
        hop.edge_weight = from.edge_weight->const_data_ptr<acc_t<T>>();
      }
      if (from.root_weight) {
        hop.root_weight = from.root_weight->const_data_ptr<acc_t<T>>();
      }
    }
  }

 private:
  // Of a hop: num_experts, num_tables, and whether there are an edge_weight
  // and a root_weight.
  static constexpr size_t kSizes = 4;

  static void check_sizes(const std::vector<int64_t>& sizes, size_t& needed) {
    const size_t hops = sizes.size() / kSizes;
    STD_TORCH_CHECK(
        sizes.size() == hops * kSizes && hops >= 1 && hops <= kMaxHops,
        "'hop_sizes' must have ", kSizes, " elements for each of 1 to ",
        kMaxHops, " hops, got ", sizes.size());
    for (size_t at = 0; at < sizes.size(); at += kSizes) {
      check_count("num_experts", sizes[at]);
      STD_TORCH_CHECK(
          sizes[at + 1] >= 0 && sizes[at + 1] <= 2,
          "'tables' must have from 0 to 2 elements, got ", sizes[at + 1]);
      for (const size_t k : {2, 3}) {
        const int64_t has = sizes[at + k];
        STD_TORCH_CHECK(
            (has == 0 || has == 1) && has == sizes[k], "'",
            k == 2 ? "edge_weight" : "root_weight",
            "' must be given for every hop (1) or for none (0), got ", has,
            " after ", sizes[k]);
      }
      needed += 2 + 2 * sizes[at + 1] + sizes[at + 2] + sizes[at + 3];
    }
  }
};

} // namespace gmoe

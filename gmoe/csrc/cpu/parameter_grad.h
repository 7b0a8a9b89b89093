// The gradients of what the experts of routed message passing have of their
// own: edge tables, root terms, scales of the own row.
#pragma once

#include <array>

#include "message.h"

namespace gmoe::cpu {

// Tables with more rows than this are summed code by code.
constexpr int64_t kSmallTable = 512;

// Some slots of one expert, with sums of their own. Their number depends on
// the routing only, so the order of the sums does not depend on the threads.
struct Chunk {
  int64_t expert, begin, end;
};

inline std::vector<Chunk> chunks(
    const std::vector<int64_t>& expert_ptr, int64_t first, int64_t last) {
  constexpr int64_t kSlots = 1024;
  std::vector<Chunk> out;
  for (int64_t o = first; o < last; ++o) {
    for (int64_t s = expert_ptr[o]; s < expert_ptr[o + 1]; s += kSlots) {
      out.push_back({o, s, std::min(s + kSlots, expert_ptr[o + 1])});
    }
  }
  return out;
}

// Where the gradients go, filled with zeros. Null where there is no such
// parameter.
template <typename T>
struct ParameterGrads {
  std::vector<std::array<T*, 2>> table; // Of each hop.
  T* root;
  T* self_scale;

  explicit ParameterGrads(const MessageGrads& grads)
      : root(data(grads.root)), self_scale(data(grads.self_scale)) {
    for (const auto& own : grads.tables) {
      table.push_back({nullptr, nullptr});
      for (size_t t = 0; t < own.size(); ++t) {
        table.back()[t] = data(own[t]);
      }
    }
  }

 private:
  static T* data(std::optional<Tensor> tensor) {
    if (!tensor) {
      return nullptr;
    }
    torch::stable::zero_(*tensor);
    return tensor->template mutable_data_ptr<T>();
  }
};

// One hop's sums: rows of the small tables, then of the root.
template <typename T, typename Index>
class HopSums {
 public:
  using A = acc_t<T>;

  HopSums(
      const Saved<T, Index>& saved,
      const Hop<T, Index>& hop,
      const std::vector<int64_t>& expert_ptr)
      : saved_(saved),
        hop_(hop),
        chunk_(chunks(
            expert_ptr, hop.first_expert,
            hop.first_expert + hop.num_experts)),
        width_(num_blocks(saved.op.channels) * kBlock) {
    for (int t = 0; t < 2; ++t) {
      small_[t] = hop.table[t] != nullptr && hop.num_codes[t] <= kSmallTable;
      if (small_[t]) {
        number_codes(t);
      }
    }
    root_row_ = rows_;
    rows_ += hop.root_weight != nullptr;
    sum_.assign(chunk_.size() * rows_ * width_, A(0));
    scale_.assign(chunk_.size(), A(0));
    torch::stable::parallel_for(
        0, static_cast<int64_t>(chunk_.size()), 1,
        [&](int64_t begin, int64_t end) {
          for (int64_t c = begin; c < end; ++c) {
            sum_chunk(c);
          }
        });
  }

  void write(int64_t h, const ParameterGrads<T>& out) const {
    const int64_t D = saved_.op.channels;
    for (int t = 0; t < 2; ++t) {
      const auto work = [&](int64_t begin, int64_t end) {
        for (int64_t code = begin; code < end; ++code) {
          if (row_of_[t][code] >= 0) {
            reduce(
                row_of_[t][code], out.table[h][t] + code * D,
                hop_.table_stride[t], hop_.first_expert);
          }
        }
      };
      torch::stable::parallel_for(
          0, static_cast<int64_t>(row_of_[t].size()),
          grain(static_cast<int64_t>(chunk_.size()) * D), work);
    }
    if (hop_.root_weight != nullptr) {
      reduce(root_row_, out.root, D, 0);
    }
    if (out.self_scale != nullptr) {
      std::vector<A> total(saved_.op.num_experts, A(0));
      for (size_t c = 0; c < chunk_.size(); ++c) {
        total[chunk_[c].expert] += scale_[c];
      }
      for (const Chunk& c : chunk_) {
        out.self_scale[c.expert] = static_cast<T>(total[c.expert]);
      }
    }
  }

 private:
  // Few of a table's codes are in use. The others have no sums.
  void number_codes(int t) {
    row_of_[t].assign(hop_.num_codes[t], -1);
    const int64_t num_edges = hop_.ptr[saved_.op.num_nodes];
    for (int64_t e = 0; e < num_edges; ++e) {
      int64_t& row = row_of_[t][hop_.code[t][e]];
      if (row < 0) {
        row = rows_++;
      }
    }
  }

  A* row(int64_t chunk, int64_t row) {
    return sum_.data() + (chunk * rows_ + row) * width_;
  }

  // All that a slot adds to is written in one go: its gradient is read once.
  void sum_chunk(int64_t c) {
    const auto& op = saved_.op;
    const Blocks<T>& kernel = blocks<T>();
    const Chunk& chunk = chunk_[c];
    std::vector<Share<T>> shares;
    auto share = [&](A* sum1, A* sum2, const Masked<T>& term) {
      shares.push_back({{sum1, sum2}, term.mask, term.weight});
    };
    for (int64_t s = chunk.begin; s < chunk.end; ++s) {
      const int64_t i = op.node[s];
      const T* grad = saved_.grad + s * op.channels;
      shares.clear();
      if (small_[0] || small_[1]) {
        for (int64_t e = hop_.ptr[i]; e < hop_.ptr[i + 1]; ++e) {
          A* to[2];
          for (int t = 0; t < 2; ++t) {
            to[t] = small_[t] ? row(c, row_of_[t][hop_.code[t][e]]) : nullptr;
          }
          share(to[0], to[1], saved_.edge(hop_, s, e));
        }
      }
      if (hop_.root_weight != nullptr) {
        share(row(c, root_row_), nullptr, saved_.root(hop_, s));
      }
      kernel.add_to_sums(
          grad, shares.data(), static_cast<int64_t>(shares.size()),
          op.channels);
      if (op.self_scale != nullptr) {
        scale_[c] += kernel.dot(
            op.x + op.row(chunk.expert, i) * op.channels, grad, op.channels);
      }
    }
  }

  // Adds the chunks' rows in their order. Without a stride, the experts share
  // the row.
  void reduce(
      int64_t row, T* out, int64_t stride, int64_t first_expert) const {
    std::vector<A> total(width_);
    for (size_t c = 0; c < chunk_.size();) {
      const int64_t o = chunk_[c].expert;
      std::fill(total.begin(), total.end(), A(0));
      for (; c < chunk_.size() && (stride == 0 || chunk_[c].expert == o);
           ++c) {
        const A* from = sum_.data() + (c * rows_ + row) * width_;
        for (int64_t d = 0; d < width_; ++d) {
          total[d] += from[d];
        }
      }
      unblock(
          total.data(), out + (stride == 0 ? 0 : (o - first_expert) * stride),
          saved_.op.channels);
    }
  }

  const Saved<T, Index>& saved_;
  const Hop<T, Index>& hop_;
  std::vector<Chunk> chunk_;
  int64_t width_, rows_ = 0, root_row_ = 0;
  bool small_[2];
  std::vector<int64_t> row_of_[2]; // Of each code in use; else -1.
  std::vector<A> sum_, scale_;
};

// A large table: each row gathers from the slots that look at its edges.
template <typename T, typename Index>
void large_table(
    const Saved<T, Index>& saved,
    const Hop<T, Index>& hop,
    int t,
    const std::vector<int64_t>& target,
    const Grouped& by_node,
    T* out) {
  const auto& op = saved.op;
  const int64_t D = op.channels;
  const Grouped by_code(
      hop.code[t], 0, static_cast<int64_t>(target.size()), hop.num_codes[t]);
  const int64_t copies = hop.table_stride[t] == 0 ? 1 : hop.num_experts;
  torch::stable::parallel_for(
      0, hop.num_codes[t] * copies, grain(4 * D),
      [&](int64_t begin, int64_t end) {
        std::vector<Masked<T>> terms;
        for (int64_t item = begin; item < end; ++item) {
          const int64_t code = item / copies;
          const int64_t o = hop.first_expert + item % copies;
          terms.clear();
          for (int64_t p = by_code.ptr[code]; p < by_code.ptr[code + 1]; ++p) {
            const int64_t e = by_code.position[p], i = target[e];
            for (int64_t q = by_node.ptr[i]; q < by_node.ptr[i + 1]; ++q) {
              const int64_t s = by_node.position[q];
              if (copies == 1 || op.expert[s] == o) {
                terms.push_back(saved.edge(hop, s, e));
              }
            }
          }
          blocks<T>().sum_masked(
              out + ((o - hop.first_expert) * hop.num_codes[t] + code) * D,
              terms.data(), static_cast<int64_t>(terms.size()), D);
        }
      });
}

template <typename T, typename Index>
void parameter_grads(
    const Saved<T, Index>& saved,
    const std::vector<int64_t>& expert_ptr,
    const ParameterGrads<T>& out) {
  const auto& op = saved.op;
  for (int h = 0; h < op.num_hops; ++h) {
    const auto& hop = op.hop[h];
    HopSums<T, Index>(saved, hop, expert_ptr).write(h, out);
    for (int t = 0; t < 2; ++t) {
      if (hop.table[t] == nullptr || hop.num_codes[t] <= kSmallTable) {
        continue;
      }
      std::vector<int64_t> target(hop.ptr[op.num_nodes]);
      for (int64_t i = 0; i < op.num_nodes; ++i) {
        std::fill(
            target.begin() + hop.ptr[i], target.begin() + hop.ptr[i + 1], i);
      }
      const Grouped by_node(
          op.node, expert_ptr[hop.first_expert],
          expert_ptr[hop.first_expert + hop.num_experts], op.num_nodes);
      large_table(saved, hop, t, target, by_node, out.table[h][t]);
    }
  }
}

} // namespace gmoe::cpu

// Routed message passing on the CPU. Each output element is summed by one
// thread in a fixed order, so results do not depend on the number of threads.
#include "../routed_message.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/Dispatch.h>
#include <torch/headeronly/core/ScalarType.h>

#include "kernels.h"

namespace gmoe::cpu {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

namespace {

// At least this many elements of work for a thread of its own.
constexpr int64_t kGrain = 1 << 14;

int64_t grain(int64_t work_per_item) {
  return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, work_per_item));
}

struct Inputs {
  Tensor x, node, expert, ptr, source;
  std::optional<Tensor> row_of;
  std::vector<Tensor> tables, codes;
  std::optional<Tensor> edge_weight;
};

void check(const Inputs& in) {
  STD_TORCH_CHECK(in.x.dim() == 2, "'x' must have two dimensions");
  STD_TORCH_CHECK(
      in.tables.size() <= 2 && in.tables.size() == in.codes.size(),
      "'tables' and 'codes' must be at most two, and as many of the one as of "
      "the other");
  for (const Tensor& table : in.tables) {
    STD_TORCH_CHECK(
        table.dim() == 3 && table.size(2) == in.x.size(1) &&
            table.scalar_type() == in.x.scalar_type(),
        "'tables' must have three dimensions, and the type and the channels "
        "of 'x'");
  }
}

template <typename T, typename Index>
RoutedMessage<T, Index> view(const Inputs& in) {
  RoutedMessage<T, Index> op{};
  op.x = in.x.const_data_ptr<T>();
  op.node = in.node.const_data_ptr<Index>();
  op.expert = in.expert.const_data_ptr<Index>();
  op.ptr = in.ptr.const_data_ptr<Index>();
  op.source = in.source.const_data_ptr<Index>();
  op.row_of =
      in.row_of.has_value() ? in.row_of->const_data_ptr<Index>() : nullptr;
  op.num_slots = in.node.numel();
  op.num_nodes = in.ptr.numel() - 1;
  op.channels = in.x.size(1);
  for (size_t t = 0; t < in.tables.size(); ++t) {
    op.table[t] = in.tables[t].const_data_ptr<T>();
    op.code[t] = in.codes[t].const_data_ptr<Index>();
    op.table_stride[t] =
        in.tables[t].size(0) > 1 ? in.tables[t].size(1) * op.channels : 0;
  }
  op.edge_weight = in.edge_weight.has_value()
      ? in.edge_weight->const_data_ptr<acc_t<T>>()
      : nullptr;
  return op;
}

template <typename T, typename Index>
void forward(const RoutedMessage<T, Index>& op, T* out) {
  const int64_t D = op.channels;
  torch::stable::parallel_for(
      0, op.num_slots, grain(4 * D), [&](int64_t begin, int64_t end) {
        std::vector<acc_t<T>> sum(D);
        for (int64_t s = begin; s < end; ++s) {
          std::fill(sum.begin(), sum.end(), acc_t<T>(0));
          const int64_t i = op.node[s], o = op.expert[s];
          for (int64_t e = op.ptr[i]; e < op.ptr[i + 1]; ++e) {
            add_message(sum.data(), op.message(o, e), op.weight(e), D);
          }
          std::copy(sum.begin(), sum.end(), out + s * D);
        }
      });
}

// Slots by node and edges by source: what the gradient of x gathers from.
template <typename Index>
struct Transposed {
  std::vector<int64_t> slot_ptr, slot, edge_ptr, edge, target;

  template <typename T>
  explicit Transposed(const RoutedMessage<T, Index>& op) {
    const int64_t N = op.num_nodes, E = op.ptr[N];
    group(op.node, op.num_slots, N, slot_ptr, slot);
    group(op.source, E, N, edge_ptr, edge);
    target.resize(E);
    for (int64_t i = 0; i < N; ++i) {
      std::fill(
          target.begin() + op.ptr[i], target.begin() + op.ptr[i + 1], i);
    }
  }

  // Counting sort of the positions of keys, stable.
  static void group(
      const Index* key,
      int64_t size,
      int64_t num_groups,
      std::vector<int64_t>& ptr,
      std::vector<int64_t>& position) {
    ptr.assign(num_groups + 1, 0);
    for (int64_t k = 0; k < size; ++k) {
      ++ptr[key[k] + 1];
    }
    for (int64_t g = 0; g < num_groups; ++g) {
      ptr[g + 1] += ptr[g];
    }
    position.resize(size);
    std::vector<int64_t> next(ptr.begin(), ptr.end() - 1);
    for (int64_t k = 0; k < size; ++k) {
      position[next[key[k]]++] = k;
    }
  }
};

template <typename T, typename Index>
void grad_x(
    const RoutedMessage<T, Index>& op,
    const Transposed<Index>& by,
    const T* grad,
    int64_t num_experts,
    int64_t num_rows,
    T* out) {
  // A row is a node, or the node as one expert sees it: items are nodes, or
  // (expert, node) pairs, of which those that no slot looks at are skipped.
  const int64_t D = op.channels, N = op.num_nodes;
  const bool shared = op.row_of == nullptr;
  const int64_t items = shared ? N : num_experts * N;
  std::vector<int64_t> slot_of;
  if (!shared) {
    slot_of.assign(items, -1);
    for (int64_t s = 0; s < op.num_slots; ++s) {
      slot_of[op.expert[s] * N + op.node[s]] = s;
    }
  }
  std::fill(out, out + num_rows * D, T(0));
  torch::stable::parallel_for(
      0, items, grain(4 * D), [&](int64_t begin, int64_t end) {
        std::vector<acc_t<T>> sum(D);
        for (int64_t item = begin; item < end; ++item) {
          const int64_t j = shared ? item : item % N;
          bool found = false;
          auto add = [&](int64_t s, int64_t e) {
            if (!found) {
              std::fill(sum.begin(), sum.end(), acc_t<T>(0));
              found = true;
            }
            add_masked(
                sum.data(), op.message(op.expert[s], e), grad + s * D,
                op.weight(e), D);
          };
          for (int64_t p = by.edge_ptr[j]; p < by.edge_ptr[j + 1]; ++p) {
            const int64_t e = by.edge[p], i = by.target[e];
            if (!shared) {
              const int64_t s = slot_of[item - j + i];
              if (s >= 0) {
                add(s, e);
              }
              continue;
            }
            for (int64_t q = by.slot_ptr[i]; q < by.slot_ptr[i + 1]; ++q) {
              add(by.slot[q], e);
            }
          }
          if (found) {
            const int64_t row = shared ? j : op.row_of[item];
            std::copy(sum.begin(), sum.end(), out + row * D);
          }
        }
      });
}

template <typename T, typename Index>
void grad_tables(
    const RoutedMessage<T, Index>& op,
    const T* grad,
    std::vector<std::vector<acc_t<T>>>& out) {
  // A thread has channels of its own, and sees all slots in their order.
  constexpr int64_t kBlock = 32;
  const int64_t D = op.channels;
  const int64_t blocks = (D + kBlock - 1) / kBlock;
  torch::stable::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
    const int64_t first = begin * kBlock;
    const int64_t size = std::min(end * kBlock, D) - first;
    for (int64_t s = 0; s < op.num_slots; ++s) {
      const int64_t i = op.node[s], o = op.expert[s];
      const T* g = grad + s * D + first;
      for (int64_t e = op.ptr[i]; e < op.ptr[i + 1]; ++e) {
        Message<T> m = op.message(o, e);
        m.x += first;
        m.term1 += first;
        if (m.term2 != nullptr) {
          m.term2 += first;
        }
        for (size_t t = 0; t < out.size(); ++t) {
          acc_t<T>* row =
              out[t].data() + op.term(static_cast<int>(t), o, e) + first;
          add_masked(row, m, g, op.weight(e), size);
        }
      }
    }
  });
}

template <typename T, typename Index>
void grad_edge_weight(
    const RoutedMessage<T, Index>& op,
    const Transposed<Index>& by,
    const T* grad,
    acc_t<T>* out) {
  const int64_t D = op.channels, E = op.ptr[op.num_nodes];
  torch::stable::parallel_for(
      0, E, grain(4 * D), [&](int64_t begin, int64_t end) {
        for (int64_t e = begin; e < end; ++e) {
          const int64_t i = by.target[e];
          acc_t<T> sum = 0;
          for (int64_t q = by.slot_ptr[i]; q < by.slot_ptr[i + 1]; ++q) {
            const int64_t s = by.slot[q];
            const Message<T> m = op.message(op.expert[s], e);
            for (int64_t d = 0; d < D; ++d) {
              sum += relu(m.at(d)) * static_cast<acc_t<T>>(grad[s * D + d]);
            }
          }
          out[e] = sum;
        }
      });
}

// Calls f with the types of the channels and of the indices.
template <typename F>
void dispatch(const Inputs& in, F f) {
  const bool wide = in.node.scalar_type() == ScalarType::Long;
  STD_TORCH_CHECK(
      wide || in.node.scalar_type() == ScalarType::Int,
      "indices must have the type int32 or int64");
  auto with_index = [&](auto value) {
    wide ? f(value, int64_t()) : f(value, int32_t());
  };
  switch (in.x.scalar_type()) {
    case ScalarType::Float:
      return with_index(float());
    case ScalarType::Double:
      return with_index(double());
    case ScalarType::Half:
      return with_index(torch::headeronly::Half());
    case ScalarType::BFloat16:
      return with_index(torch::headeronly::BFloat16());
    default:
      STD_TORCH_CHECK(
          false, "'x' must be float32, float64, float16 or bfloat16");
  }
}

Tensor routed_message(
    Tensor x,
    Tensor node,
    Tensor expert,
    Tensor ptr,
    Tensor source,
    std::optional<Tensor> row_of,
    std::vector<Tensor> tables,
    std::vector<Tensor> codes,
    std::optional<Tensor> edge_weight) {
  const Inputs in{
      x, node, expert, ptr, source, row_of, tables, codes, edge_weight};
  check(in);
  Tensor out =
      torch::stable::new_empty(x, {node.numel(), x.size(1)});
  dispatch(in, [&](auto value, auto index) {
    using T = decltype(value);
    forward(
        view<T, decltype(index)>(in), out.template mutable_data_ptr<T>());
  });
  return out;
}

std::vector<Tensor> routed_message_backward(
    Tensor grad,
    Tensor x,
    Tensor node,
    Tensor expert,
    Tensor ptr,
    Tensor source,
    std::optional<Tensor> row_of,
    std::vector<Tensor> tables,
    std::vector<Tensor> codes,
    std::optional<Tensor> edge_weight,
    bool needs_edge_weight) {
  const Inputs in{
      x, node, expert, ptr, source, row_of, tables, codes, edge_weight};
  check(in);
  std::vector<Tensor> out{torch::stable::empty_like(x)};
  for (const Tensor& table : tables) {
    out.push_back(torch::stable::empty_like(table));
  }
  if (needs_edge_weight) {
    out.push_back(torch::stable::empty_like(*edge_weight));
  }
  const int64_t num_experts = row_of.has_value() ? row_of->size(0) : 1;
  dispatch(in, [&](auto value, auto index) {
    using T = decltype(value);
    using Index = decltype(index);
    const auto op = view<T, Index>(in);
    const Transposed<Index> by(op);
    const T* g = grad.template const_data_ptr<T>();
    grad_x(
        op, by, g, num_experts, x.size(0),
        out[0].template mutable_data_ptr<T>());
    if (!tables.empty()) {
      std::vector<std::vector<acc_t<T>>> sums;
      for (const Tensor& table : tables) {
        sums.emplace_back(table.numel(), acc_t<T>(0));
      }
      grad_tables(op, g, sums);
      for (size_t t = 0; t < sums.size(); ++t) {
        std::copy(
            sums[t].begin(), sums[t].end(),
            out[1 + t].template mutable_data_ptr<T>());
      }
    }
    if (needs_edge_weight) {
      grad_edge_weight(
          op, by, g,
          out.back().template mutable_data_ptr<acc_t<T>>());
    }
  });
  return out;
}

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CPU, m) {
  m.impl("routed_message", TORCH_BOX(&routed_message));
  m.impl("routed_message_backward", TORCH_BOX(&routed_message_backward));
}

} // namespace gmoe::cpu

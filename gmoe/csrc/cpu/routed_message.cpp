// Routed message passing on the CPU.
#include <torch/csrc/stable/library.h>

#include "inputs.h"
#include "message.h"
#include "parameter_grad.h"

namespace gmoe::cpu {

namespace {

// The slots of one hop at each node.
struct SlotsAt {
  Grouped by_node;

  template <typename F>
  void operator()(int64_t i, const F& f) const {
    for (int64_t q = by_node.ptr[i]; q < by_node.ptr[i + 1]; ++q) {
      f(by_node.position[q]);
    }
  }
};

template <typename T, typename Index>
void grad_shared_rows(
    const Saved<T, Index>& saved,
    const std::vector<Transposed<T, Index>>& transposed,
    const std::vector<SlotsAt>& slots,
    T* out) {
  const auto& op = saved.op;
  auto build = [&](int64_t j, std::vector<Masked<T>>& terms) {
    for (int h = 0; h < op.num_hops; ++h) {
      transposed[h].collect(saved, op.hop[h], j, slots[h], terms);
    }
  };
  auto run = [&](int64_t j, const std::vector<Masked<T>>& terms) {
    blocks<T>().sum_masked(
        out + j * op.channels, terms.data(),
        static_cast<int64_t>(terms.size()), op.channels);
  };
  torch::stable::parallel_for(
      0, op.num_nodes, grain(8 * op.channels),
      [&](int64_t begin, int64_t end) {
        pipeline<Masked<T>>(begin, end, build, run);
      });
}

template <typename T, typename Index>
void grad_own_rows(
    const Saved<T, Index>& saved,
    const std::vector<Transposed<T, Index>>& transposed,
    const std::vector<int64_t>& expert_ptr,
    T* out) {
  const auto& op = saved.op;
  for (int64_t o = 0; o < op.num_experts; ++o) {
    const auto& hop = op.hop_of(o);
    const auto& edges = transposed[&hop - op.hop];
    const SlotOf<Index> slots(
        op.node, expert_ptr[o], expert_ptr[o + 1], op.num_nodes);
    torch::stable::parallel_for(
        0, op.num_nodes, grain(4 * op.channels),
        [&](int64_t begin, int64_t end) {
          std::vector<Masked<T>> terms;
          for (int64_t j = begin; j < end; ++j) {
            terms.clear();
            edges.collect(saved, hop, j, slots, terms);
            if (!terms.empty()) { // Else the row may not exist.
              blocks<T>().sum_masked(
                  out + op.row(o, j) * op.channels, terms.data(),
                  static_cast<int64_t>(terms.size()), op.channels);
            }
          }
        });
  }
}

template <typename T, typename Index>
void grad_edge_weight(
    const Saved<T, Index>& saved,
    const Hop<T, Index>& hop,
    const SlotsAt& slots,
    const Transposed<T, Index>& edges,
    acc_t<T>* out) {
  const auto& op = saved.op;
  const int64_t D = op.channels;
  torch::stable::parallel_for(
      0, static_cast<int64_t>(edges.target.size()), grain(4 * D),
      [&](int64_t begin, int64_t end) {
        std::vector<T> message(D);
        for (int64_t e = begin; e < end; ++e) {
          acc_t<T> sum = 0;
          slots(edges.target[e], [&](int64_t s) {
            const int64_t o = op.expert[s];
            const Entry<T> entry{
                op.x + op.row(o, hop.source[e]) * D, op.term(hop, 0, o, e),
                op.term(hop, 1, o, e), acc_t<T>(1)};
            blocks<T>().sum_messages(
                message.data(), &entry, 1, nullptr, acc_t<T>(0), nullptr, D);
            sum += blocks<T>().dot(message.data(), saved.grad + s * D, D);
          });
          out[e] = sum;
        }
      });
}

std::tuple<Tensor, Tensor> routed_message(
    Tensor x,
    Tensor node,
    Tensor expert,
    std::optional<Tensor> row_of,
    std::optional<Tensor> root,
    std::optional<Tensor> self_scale,
    int64_t num_experts,
    bool own_rows,
    std::vector<int64_t> hop_experts,
    std::vector<Tensor> ptr,
    std::vector<Tensor> source,
    std::vector<int64_t> num_tables,
    std::vector<Tensor> tables,
    std::vector<Tensor> codes,
    std::vector<Tensor> edge_weight,
    std::vector<Tensor> root_weight,
    int64_t num_messages) {
  MessageInputs in{
      x, node, expert, row_of, root, self_scale, num_experts, own_rows,
      {hop_experts, ptr, source, num_tables, tables, codes, edge_weight,
       root_weight}};
  in.take(Arguments("x", x));
  const int64_t D = x.size(1);
  Tensor out = torch::stable::new_empty(x, {in.node.numel(), D});
  Tensor mask;
  dispatch(x.scalar_type(), node.scalar_type(), [&](auto value, auto index) {
    using T = decltype(value);
    const auto op = in.view<T, decltype(index)>();
    const auto message = message_ptr(op);
    check_rows_of(op, x.size(0));
    mask = new_mask(in.hops, x, message, num_messages, D);
    forward(
        op, message, 0, op.num_slots, out.template mutable_data_ptr<T>(),
        num_messages == 0
            ? nullptr
            : reinterpret_cast<uint32_t*>(mask.mutable_data_ptr<int32_t>()));
  });
  return {out, mask};
}

std::vector<Tensor> routed_message_backward(
    Tensor grad,
    Tensor mask,
    Tensor x,
    Tensor node,
    Tensor expert,
    std::optional<Tensor> row_of,
    std::optional<Tensor> root,
    std::optional<Tensor> self_scale,
    int64_t num_experts,
    bool own_rows,
    std::vector<int64_t> hop_experts,
    std::vector<Tensor> ptr,
    std::vector<Tensor> source,
    std::vector<int64_t> num_tables,
    std::vector<Tensor> tables,
    std::vector<Tensor> codes,
    std::vector<Tensor> edge_weight,
    std::vector<Tensor> root_weight,
    bool needs_edge_weight) {
  MessageInputs in{
      x, node, expert, row_of, root, self_scale, num_experts, own_rows,
      {hop_experts, ptr, source, num_tables, tables, codes, edge_weight,
       root_weight}};
  const Arguments arguments("x", x);
  in.take(arguments);
  in.check_needs(needs_edge_weight);
  take_saved(arguments, in.x, in.node.numel(), x.size(1), grad, mask);
  auto zeros = [](const Tensor& like) {
    Tensor out = torch::stable::empty_like(like);
    return torch::stable::zero_(out);
  };
  std::vector<Tensor> out{
      own_rows ? zeros(in.x) : torch::stable::empty_like(in.x)};
  for (const Tensor& table : in.hops.tables) {
    out.push_back(zeros(table));
  }
  if (root) {
    out.push_back(zeros(*in.root));
  }
  if (self_scale) {
    out.push_back(zeros(*in.self_scale));
  }
  if (needs_edge_weight) {
    for (const Tensor& weight : in.hops.edge_weight) {
      out.push_back(zeros(weight));
    }
  }
  dispatch(x.scalar_type(), node.scalar_type(), [&](auto value, auto index) {
    using T = decltype(value);
    using Index = decltype(index);
    const auto op = in.view<T, Index>();
    const auto message = message_ptr(op);
    check_rows_of(op, x.size(0));
    check_mask(message, mask);
    const auto experts = expert_ptr(op);
    const Saved<T, Index> saved{
        op, message,
        reinterpret_cast<const uint32_t*>(mask.const_data_ptr<int32_t>()),
        grad.template const_data_ptr<T>()};
    std::vector<Transposed<T, Index>> transposed;
    std::vector<SlotsAt> slots;
    for (int h = 0; h < op.num_hops; ++h) {
      const auto& hop = op.hop[h];
      transposed.emplace_back(hop, op.num_nodes);
      slots.push_back({Grouped(
          op.node, experts[hop.first_expert],
          experts[hop.first_expert + hop.num_experts], op.num_nodes)});
    }
    T* rows = out[0].template mutable_data_ptr<T>();
    if (own_rows) {
      grad_own_rows(saved, transposed, experts, rows);
    } else {
      grad_shared_rows(saved, transposed, slots, rows);
    }
    size_t next = 1;
    ParameterGrads<T> grads{{}, nullptr, nullptr};
    for (const int64_t count : num_tables) {
      grads.table.push_back({nullptr, nullptr});
      for (int64_t t = 0; t < count; ++t) {
        grads.table.back()[t] = out[next++].template mutable_data_ptr<T>();
      }
    }
    if (root) {
      grads.root = out[next++].template mutable_data_ptr<T>();
    }
    if (self_scale) {
      grads.self_scale = out[next++].template mutable_data_ptr<T>();
    }
    parameter_grads(saved, experts, grads);
    for (int h = 0; needs_edge_weight && h < op.num_hops; ++h) {
      grad_edge_weight(
          saved, op.hop[h], slots[h], transposed[h],
          out[next++].template mutable_data_ptr<acc_t<T>>());
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

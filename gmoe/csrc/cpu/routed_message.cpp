// Routed message passing on the CPU.
#include <torch/csrc/stable/library.h>

#include "large_pages.h"
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

// Every row of x is written once, also those that no slot looks at.
template <typename T, typename Index>
void grad_own_rows(
    const Saved<T, Index>& saved,
    const std::vector<Transposed<T, Index>>& transposed,
    const std::vector<int64_t>& expert_ptr,
    const std::vector<int64_t>& owner,
    int64_t num_rows,
    T* out) {
  const auto& op = saved.op;
  const int64_t n = op.num_experts, N = op.num_nodes;
  std::vector<SlotOf<Index>> slots;
  for (int64_t o = 0; o < n; ++o) {
    slots.emplace_back(op.node, expert_ptr[o], expert_ptr[o + 1], N);
  }
  auto build = [&](int64_t r, std::vector<Masked<T>>& terms) {
    const int64_t pair =
        op.row_of == nullptr ? r % n * N + r / n : owner[r];
    if (pair >= 0) {
      const auto& hop = op.hop_of(pair / N);
      transposed[&hop - op.hop].collect(
          saved, hop, pair % N, slots[pair / N], terms);
    }
  };
  auto run = [&](int64_t r, const std::vector<Masked<T>>& terms) {
    blocks<T>().sum_masked(
        out + r * op.channels, terms.data(),
        static_cast<int64_t>(terms.size()), op.channels);
  };
  torch::stable::parallel_for(
      0, num_rows, grain(4 * op.channels), [&](int64_t begin, int64_t end) {
        pipeline<Masked<T>>(begin, end, build, run);
      });
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
        std::vector<T> out_row(D);
        for (int64_t e = begin; e < end; ++e) {
          acc_t<T> sum = 0;
          slots(edges.target[e], [&](int64_t s) {
            Message<T> message = op.edge_message(hop, op.expert[s], e);
            message.weight = 1;
            blocks<T>().sum_messages(
                out_row.data(), &message, 1, nullptr, acc_t<T>(0), nullptr, D);
            sum += blocks<T>().dot(out_row.data(), saved.grad + s * D, D);
          });
          out[e] = sum;
        }
      });
}

struct Cpu {
  template <typename T, typename Index>
  static Tensor forward(
      const MessageInputs& in, const RoutedMessage<T, Index>& op,
      int64_t num_messages, T* out) {
    const auto message = message_ptr(op);
    owners(in, op);
    const Tensor mask =
        new_mask(in.hops, in.x, message, num_messages, op.channels);
    use_large_pages(out, op.num_slots * op.channels);
    cpu::forward(op, message, 0, op.num_slots, out, bits_of(mask));
    return mask;
  }

  // None where rows are not named.
  template <typename T, typename Index>
  static std::vector<int64_t> owners(
      const MessageInputs& in, const RoutedMessage<T, Index>& op) {
    return op.row_of == nullptr ? std::vector<int64_t>()
                                : row_owners(op, in.x.size(0));
  }

  template <typename T, typename Index>
  static void backward(
      const MessageInputs& in, const RoutedMessage<T, Index>& op,
      const T* grad, const Tensor& mask, const MessageGrads& grads) {
    const auto message = message_ptr(op);
    const auto owner = owners(in, op);
    check_mask(message, mask);
    const auto experts = expert_ptr(op);
    const Saved<T, Index> saved{op, message, bits_of(mask), grad};
    std::vector<Transposed<T, Index>> transposed;
    std::vector<SlotsAt> slots;
    for (int h = 0; h < op.num_hops; ++h) {
      const auto& hop = op.hop[h];
      transposed.emplace_back(hop, op.num_nodes);
      slots.push_back({Grouped(
          op.node, experts[hop.first_expert],
          experts[hop.first_expert + hop.num_experts], op.num_nodes)});
    }
    Tensor x = grads.x;
    T* rows = x.template mutable_data_ptr<T>();
    use_large_pages(rows, x.numel());
    if (op.own_rows) {
      grad_own_rows(saved, transposed, experts, owner, x.size(0), rows);
    } else {
      grad_shared_rows(saved, transposed, slots, rows);
    }
    parameter_grads(saved, experts, ParameterGrads<T>(grads));
    for (size_t h = 0; h < grads.edge_weight.size(); ++h) {
      grad_edge_weight(
          saved, op.hop[h], slots[h], transposed[h],
          grads.edge_weight[h].template mutable_data_ptr<acc_t<T>>());
    }
  }
};

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CPU, m) {
  m.impl("routed_message", TORCH_BOX(&routed_message<Cpu>));
  m.impl(
      "routed_message_backward", TORCH_BOX(&routed_message_backward<Cpu>));
}

} // namespace gmoe::cpu

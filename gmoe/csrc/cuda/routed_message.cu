// Routed message passing on CUDA. A thread sums a pack of channels of one
// output row in a fixed order: no atomics, and the same bits in every run. The
// host never waits for the device, so that calls can be captured in a graph.
#include <vector>

#include <torch/csrc/stable/library.h>

#include "message_grad.h"

namespace gmoe::cuda {

namespace {

using torch::stable::accelerator::DeviceGuard;

// Calls f with the pack of channels that all rows allow.
template <typename T, typename Index, typename F>
void with_message_pack(
    const RoutedMessage<T, Index>& op, const T* grad, const void* out, F f) {
  std::vector<const void*> rows{op.x, op.root, grad, out};
  for (int h = 0; h < op.num_hops; ++h) {
    rows.insert(rows.end(), op.hop[h].table, op.hop[h].table + 2);
  }
  with_pack<T>(op.channels, rows, f);
}

// A row of threads per slot.
template <typename T, typename Index, int N>
__global__ void __launch_bounds__(kThreads)
    forward(const __grid_constant__ RoutedMessage<T, Index> op, T* out) {
  const int64_t s = row_item();
  if (s >= op.num_slots) {
    return;
  }
  const int64_t D = op.channels;
  for (int64_t d = threadIdx.x * N; d < D; d += blockDim.x * N) {
    acc_t<T> sum[N] = {};
    op.each_message(
        s, [&](const Message<T>& message) { add_message(sum, message, d); });
    if (op.self_scale != nullptr) {
      add_own(
          sum, op.x + op.node[s] * D, d,
          static_cast<acc_t<T>>(op.self_scale[op.expert[s]]));
    }
    store(out + s * D + d, sum);
  }
}

// The memory of a Transposed.
template <typename Index>
struct TransposedInputs {
  Grouped by_node;
  std::vector<Grouped> by_source;
  std::vector<Tensor> target;

  TransposedInputs(cudaStream_t stream, const MessageInputs& in)
      : by_node(group<Index>(stream, in.node, in.hops.num_nodes())) {
    for (const HopInput& hop : in.hops) {
      const int64_t num_nodes = in.hops.num_nodes(), E = hop.source.numel();
      by_source.push_back(group<Index>(stream, hop.source, num_nodes));
      target.push_back(
          torch::stable::new_empty(hop.source, {E}, ScalarType::Long));
      launch(
          stream, per_item(E), group_of<Index>,
          hop.ptr.template const_data_ptr<Index>(), num_nodes, E,
          target.back().template mutable_data_ptr<int64_t>());
    }
  }

  Transposed view() const {
    Transposed by{};
    by.slot = by_node.view();
    for (size_t h = 0; h < target.size(); ++h) {
      by.edge[h] = by_source[h].view();
      by.target[h] = target[h].template const_data_ptr<int64_t>();
    }
    return by;
  }
};

template <typename T, typename Index>
class Backward {
 public:
  Backward(
      const MessageInputs& in, const RoutedMessage<T, Index>& op,
      const T* grad)
      : in_(in),
        stream_(current_stream(in.x)),
        op_(op),
        memory_(stream_, in),
        by_(memory_.view()),
        grad_(grad) {}

  void rows(T* out) const {
    const int64_t items = op_.num_nodes * (op_.own_rows ? op_.num_experts : 1);
    with(out, [&](auto pack) {
      constexpr int N = decltype(pack)::value;
      launch(
          stream_, per_row(items, op_.channels / N), grad_rows<T, Index, N>,
          op_, by_, grad_, items, out);
    });
  }

  void table(int h, const Tensor& table, const Tensor& code, T* out) const {
    const Chunks chunks(code.numel());
    const int64_t num_groups = table.size(0), num_codes = table.size(1);
    const Grouped by_code = group<Index>(stream_, code, num_codes);
    const Tensor parts = new_sums<T>(
        table, chunks.num_parts(num_codes) * num_groups * op_.channels);
    auto* part = parts.template mutable_data_ptr<acc_t<T>>();
    with(out, [&](auto pack) {
      constexpr int N = decltype(pack)::value;
      launch(
          stream_, per_row(chunks.count * num_groups, op_.channels / N),
          table_parts<T, Index, N>, op_, by_, grad_, h,
          by_code.key.template const_data_ptr<Index>(),
          by_code.view().position, chunks, num_groups, part);
      launch(
          stream_, per_row(num_codes * num_groups, op_.channels / N),
          add_parts<acc_t<T>, T, N>, part, by_code.view().ptr, chunks,
          num_codes, num_groups, op_.channels, out);
    });
  }

  void root(T* out) const {
    experts<true>(out);
  }

  void self_scale(T* out) const {
    const int64_t n = op_.num_experts;
    const Tensor products = new_sums<T>(in_.x, n * op_.channels);
    auto* product = products.template mutable_data_ptr<acc_t<T>>();
    experts<false>(product);
    launch(
        stream_, per_row(n, kWarp), sum_rows<acc_t<T>, T>, product, n,
        op_.channels, out);
  }

  void edge_weight(int h, acc_t<T>* out) const {
    const int64_t num_edges = in_.hops[h].source.numel();
    with(nullptr, [&](auto pack) {
      constexpr int N = decltype(pack)::value;
      launch(
          stream_, per_row(num_edges, kWarp), grad_edge_weight<T, Index, N>,
          op_, by_, grad_, h, num_edges, out);
    });
  }

 private:
  template <typename F>
  void with(const void* out, F f) const {
    with_message_pack(op_, grad_, out, f);
  }

  template <bool kRoot, typename Out>
  void experts(Out* out) const {
    const int64_t n = op_.num_experts;
    const Chunks chunks(op_.num_slots);
    const Tensor ptr =
        torch::stable::new_empty(in_.x, {n + 1}, ScalarType::Long);
    launch(
        stream_, per_item(n + 1), group_pointer<Index>, op_.expert,
        op_.num_slots, n, ptr.template mutable_data_ptr<int64_t>());
    const Tensor parts =
        new_sums<T>(in_.x, chunks.num_parts(n) * op_.channels);
    auto* part = parts.template mutable_data_ptr<acc_t<T>>();
    with(out, [&](auto pack) {
      constexpr int N = decltype(pack)::value;
      launch(
          stream_, per_row(chunks.count, op_.channels / N),
          expert_parts<kRoot, T, Index, N>, op_, grad_, chunks, part);
      launch(
          stream_, per_row(n, op_.channels / N),
          add_parts<acc_t<T>, Out, N>, part,
          ptr.template const_data_ptr<int64_t>(), chunks, n, int64_t(1),
          op_.channels, out);
    });
  }

  const MessageInputs& in_;
  cudaStream_t stream_;
  const RoutedMessage<T, Index> op_;
  const TransposedInputs<Index> memory_;
  const Transposed by_;
  const T* grad_;
};

struct Cuda {
  template <typename T, typename Index>
  static Tensor forward(
      const MessageInputs& in, const RoutedMessage<T, Index>& op,
      int64_t num_messages, T* out) {
    in.hops.check_messages(num_messages, 0, op.num_slots);
    const DeviceGuard guard(in.x.get_device_index());
    with_message_pack(op, static_cast<const T*>(nullptr), out, [&](auto pack) {
      constexpr int N = decltype(pack)::value;
      launch(
          current_stream(in.x), per_row(op.num_slots, op.channels / N),
          cuda::forward<T, Index, N>, op, out);
    });
    // The backward pass makes the messages again, and needs no bits.
    return torch::stable::new_empty(
        in.x, {num_messages, num_blocks(op.channels)}, ScalarType::Int);
  }

  template <typename T, typename Index>
  static void backward(
      const MessageInputs& in, const RoutedMessage<T, Index>& op,
      const T* grad, const Tensor& mask, const MessageGrads& grads) {
    const DeviceGuard guard(in.x.get_device_index());
    const Backward<T, Index> backward(in, op, grad);
    auto data = [](const Tensor& to) {
      return to.template mutable_data_ptr<T>();
    };
    Tensor x = grads.x;
    torch::stable::zero_(x); // Rows that no slot looks at.
    backward.rows(data(x));
    for (int h = 0; h < op.num_hops; ++h) {
      const HopInput& hop = in.hops[h];
      for (size_t t = 0; t < hop.tables.size(); ++t) {
        backward.table(
            h, hop.tables[t], hop.codes[t], data(grads.tables[h][t]));
      }
      if (!grads.edge_weight.empty()) {
        backward.edge_weight(
            h, grads.edge_weight[h].template mutable_data_ptr<acc_t<T>>());
      }
    }
    if (grads.root) {
      backward.root(data(*grads.root));
    }
    if (grads.self_scale) {
      backward.self_scale(data(*grads.self_scale));
    }
  }
};

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CUDA, m) {
  m.impl("routed_message", TORCH_BOX(&routed_message<Cuda>));
  m.impl(
      "routed_message_backward", TORCH_BOX(&routed_message_backward<Cuda>));
}

} // namespace gmoe::cuda

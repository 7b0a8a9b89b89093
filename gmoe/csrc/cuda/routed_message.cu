// Routed message passing on CUDA. A thread sums a pack of channels of one
// output row in a fixed order: no atomics, and the same bits in every run. The
// host never waits for the device, so that calls can be captured in a graph.
#include <optional>
#include <tuple>
#include <vector>

#include <torch/csrc/stable/library.h>

#include "message_grad.h"

namespace gmoe::cuda {

namespace {

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
  const int64_t i = op.node[s], o = op.expert[s];
  const Hop<T, Index>& hop = op.hop_of(o);
  const int64_t begin = hop.ptr[i], end = hop.ptr[i + 1];
  const int64_t D = op.channels;
  for (int64_t d = threadIdx.x * N; d < D; d += blockDim.x * N) {
    acc_t<T> sum[N];
    clear(sum);
    for (int64_t e = begin; e < end; ++e) {
      add_message(sum, edge_message(op, hop, o, e), d, weight_of(hop, e));
    }
    if (op.root != nullptr) {
      add_message(sum, root_message(op, o, i), d, hop.root_weight[i]);
    }
    if (op.self_scale != nullptr) {
      add_scaled(
          sum, op.x + i * D, d, static_cast<acc_t<T>>(op.self_scale[o]));
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
      : by_node(group<Index>(
            stream, in.node, in.hops.ptr[0].numel() - 1)) {
    const int64_t num_nodes = in.hops.ptr[0].numel() - 1;
    for (size_t h = 0; h < in.hops.ptr.size(); ++h) {
      const Tensor& source = in.hops.source[h];
      by_source.push_back(group<Index>(stream, source, num_nodes));
      target.push_back(torch::stable::new_empty(
          source, {source.numel()}, ScalarType::Long));
      launch(
          stream, per_item(source.numel()), group_of<Index>,
          in.hops.ptr[h].template const_data_ptr<Index>(), num_nodes,
          source.numel(),
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
  Backward(const MessageInputs& in, const Tensor& grad)
      : in_(in),
        stream_(current_stream(in.x)),
        op_(in.template view<T, Index>()),
        memory_(stream_, in),
        by_(memory_.view()),
        grad_(grad.template const_data_ptr<T>()) {}

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
    const int64_t num_edges = in_.hops.source[h].numel();
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
  in.hops.check_messages(num_messages, 0, node.numel());
  const torch::stable::accelerator::DeviceGuard guard(x.get_device_index());
  const int64_t D = x.size(1);
  Tensor out = torch::stable::new_empty(x, {node.numel(), D});
  // The backward pass makes the messages again, and needs no bits.
  const Tensor mask = torch::stable::new_empty(
      x, {num_messages, std::max<int64_t>(1, (D + kMaskBits - 1) / kMaskBits)},
      ScalarType::Int);
  dispatch(x.scalar_type(), node.scalar_type(), [&](auto value, auto index) {
    using T = decltype(value);
    using Index = decltype(index);
    const auto op = in.view<T, Index>();
    T* to = out.template mutable_data_ptr<T>();
    with_message_pack(op, static_cast<const T*>(nullptr), to, [&](auto pack) {
      constexpr int N = decltype(pack)::value;
      launch(
          current_stream(x), per_row(op.num_slots, op.channels / N),
          forward<T, Index, N>, op, to);
    });
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
  arguments.take("grad", grad, x.scalar_type(), {node.numel(), x.size(1)});
  const torch::stable::accelerator::DeviceGuard guard(x.get_device_index());
  std::vector<Tensor> out{torch::stable::empty_like(in.x)};
  torch::stable::zero_(out[0]); // Rows that no slot looks at.
  auto add_like = [&](const Tensor& tensor) {
    out.push_back(torch::stable::empty_like(tensor));
    return out.back();
  };
  dispatch(x.scalar_type(), node.scalar_type(), [&](auto value, auto index) {
    using T = decltype(value);
    const Backward<T, decltype(index)> backward(in, grad);
    backward.rows(out[0].template mutable_data_ptr<T>());
    size_t next = 0;
    for (size_t h = 0; h < num_tables.size(); ++h) {
      for (int64_t t = 0; t < num_tables[h]; ++t, ++next) {
        const Tensor& table = in.hops.tables[next];
        backward.table(
            static_cast<int>(h), table, in.hops.codes[next],
            add_like(table).template mutable_data_ptr<T>());
      }
    }
    if (root) {
      backward.root(add_like(*in.root).template mutable_data_ptr<T>());
    }
    if (self_scale) {
      backward.self_scale(
          add_like(*in.self_scale).template mutable_data_ptr<T>());
    }
    for (size_t h = 0; needs_edge_weight && h < edge_weight.size(); ++h) {
      backward.edge_weight(
          static_cast<int>(h),
          add_like(in.hops.edge_weight[h]).template mutable_data_ptr<acc_t<T>>());
    }
  });
  return out;
}

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CUDA, m) {
  m.impl("routed_message", TORCH_BOX(&routed_message));
  m.impl("routed_message_backward", TORCH_BOX(&routed_message_backward));
}

} // namespace gmoe::cuda

// Normalisation of routed rows, and their weighted sum at each node, on CUDA.
// Normalised rows are never written.
#include <tuple>

#include <torch/csrc/stable/library.h>

#include "../expert_norm.h"
#include "norm_launch.h"

namespace gmoe::cuda {

namespace {

// A row of threads per node.
template <typename T, typename Index, int N>
__global__ void __launch_bounds__(kThreads) combine(
    Affine<acc_t<T>> affine,
    Group slot,
    const T* h,
    const Index* expert,
    const acc_t<T>* weight,
    int64_t num_nodes,
    int64_t channels,
    T* out) {
  const int64_t i = row_item();
  if (i >= num_nodes) {
    return;
  }
  const int64_t D = channels;
  for (int64_t d = threadIdx.x * N; d < D; d += blockDim.x * N) {
    acc_t<T> sum[N];
    clear(sum);
    for (int64_t q = slot.ptr[i]; q < slot.ptr[i + 1]; ++q) {
      const int64_t s = slot.position[q], o = expert[s];
      acc_t<T> x[N], scale[N], shift[N];
      load(h + s * D + d, x);
      load(affine.scale + o * D + d, scale);
      load(affine.shift + o * D + d, shift);
#pragma unroll
      for (int k = 0; k < N; ++k) {
        sum[k] += weight[s] * (x[k] * scale[k] + shift[k]);
      }
    }
    store(out + i * D + d, sum);
  }
}

// A warp per slot.
template <typename T, typename Index, int N>
__global__ void __launch_bounds__(kThreads) grad_weight(
    ExpertRows rows,
    Affine<acc_t<T>> affine,
    Incoming<T, Index> incoming,
    const T* h,
    const Index* expert,
    acc_t<T>* out) {
  const int64_t s = row_item(), D = rows.channels;
  if (s >= rows.num_rows) {
    return;
  }
  const int64_t o = expert[s];
  const T* grad = incoming.row(s, D);
  acc_t<T> sum = 0;
  for (int64_t d = threadIdx.x * N; d < D; d += kWarp * N) {
    acc_t<T> x[N], g[N], scale[N], shift[N];
    load(h + s * D + d, x);
    load(grad + d, g);
    load(affine.scale + o * D + d, scale);
    load(affine.shift + o * D + d, shift);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      sum += (x[k] * scale[k] + shift[k]) * g[k];
    }
  }
  sum = warp_sum(sum);
  if (threadIdx.x == 0) {
    out[s] = sum;
  }
}

// The rows, whose expert pointer is made in the tensor ptr.
template <typename Index>
ExpertRows rows_of(
    cudaStream_t stream, const Tensor& h, const Tensor& expert,
    const Tensor& ptr) {
  const int64_t n = ptr.numel() - 1;
  int64_t* bound = ptr.template mutable_data_ptr<int64_t>();
  launch(
      stream, per_item(n + 1), group_pointer<Index>,
      expert.template const_data_ptr<Index>(), expert.numel(), n, bound);
  return {bound, n, h.size(0), h.size(1)};
}

std::tuple<Tensor, Tensor, Tensor> norm_combine(
    Tensor h,
    Tensor weight,
    Tensor gamma,
    Tensor beta,
    Tensor running_mean,
    Tensor running_var,
    Tensor node,
    Tensor expert,
    int64_t num_nodes,
    bool training,
    double eps) {
  const Arguments arguments("h", h);
  take_norm(arguments, h, gamma, beta, running_mean, running_var, true, eps);
  check_count("num_nodes", num_nodes);
  take_weighted_slots(arguments, h, weight, node, expert, num_nodes, gamma);
  const torch::stable::accelerator::DeviceGuard guard(h.get_device_index());
  Tensor out = torch::stable::new_empty(h, {num_nodes, h.size(1)});
  Tensor mean = torch::stable::clone(running_mean);
  Tensor var = torch::stable::clone(running_var);
  const Tensor ptr =
      torch::stable::new_empty(h, {gamma.size(0) + 1}, ScalarType::Long);
  dispatch(h.scalar_type(), node.scalar_type(), [&](auto value, auto index) {
    using T = decltype(value);
    using Index = decltype(index);
    const cudaStream_t stream = current_stream(h);
    const Normalisation<T> norm(
        stream, rows_of<Index>(stream, h, expert, ptr), h, mean, var);
    if (training) {
      norm.measure();
    }
    norm.prepare(gamma, beta, eps);
    const Grouped by_node = group<Index>(stream, node, num_nodes);
    T* to = out.template mutable_data_ptr<T>();
    norm.with({to}, [&](auto pack) {
      constexpr int N = decltype(pack)::value;
      launch(
          stream, per_row(num_nodes, h.size(1) / N), combine<T, Index, N>,
          norm.affine(), by_node.view(), norm.h(),
          expert.template const_data_ptr<Index>(),
          weight.template const_data_ptr<acc_t<T>>(), num_nodes, h.size(1),
          to);
    });
  });
  return {out, mean, var};
}

std::tuple<Tensor, Tensor, Tensor, Tensor> norm_combine_backward(
    Tensor grad,
    Tensor h,
    Tensor weight,
    Tensor gamma,
    Tensor beta,
    Tensor mean,
    Tensor var,
    Tensor node,
    Tensor expert,
    bool training,
    double eps) {
  const Arguments arguments("h", h);
  take_norm(arguments, h, gamma, beta, mean, var, false, eps);
  arguments.take("grad", grad, h.scalar_type(), {kAny, h.size(1)});
  take_weighted_slots(
      arguments, h, weight, node, expert, grad.size(0), gamma);
  const torch::stable::accelerator::DeviceGuard guard(h.get_device_index());
  Tensor grad_h = torch::stable::empty_like(h);
  Tensor grad_of_weight = torch::stable::empty_like(weight);
  Tensor grad_gamma = torch::stable::empty_like(gamma);
  Tensor grad_beta = torch::stable::empty_like(beta);
  const Tensor ptr =
      torch::stable::new_empty(h, {gamma.size(0) + 1}, ScalarType::Long);
  dispatch(h.scalar_type(), node.scalar_type(), [&](auto value, auto index) {
    using T = decltype(value);
    using A = acc_t<T>;
    using Index = decltype(index);
    const cudaStream_t stream = current_stream(h);
    const Normalisation<T> norm(
        stream, rows_of<Index>(stream, h, expert, ptr), h, mean, var);
    norm.prepare(gamma, beta, eps);
    const Incoming<T, Index> incoming{
        grad.template const_data_ptr<T>(),
        node.template const_data_ptr<Index>(),
        weight.template const_data_ptr<A>(), false};
    norm.backward(incoming, training, eps, grad_h, grad_gamma, grad_beta);
    norm.with({incoming.grad}, [&](auto pack) {
      constexpr int N = decltype(pack)::value;
      launch(
          stream, per_row(h.size(0), kWarp), grad_weight<T, Index, N>,
          norm.rows(), norm.affine(), incoming, norm.h(),
          expert.template const_data_ptr<Index>(),
          grad_of_weight.template mutable_data_ptr<A>());
    });
  });
  return {grad_h, grad_of_weight, grad_gamma, grad_beta};
}

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CUDA, m) {
  m.impl("norm_combine", TORCH_BOX(&norm_combine));
  m.impl("norm_combine_backward", TORCH_BOX(&norm_combine_backward));
}

} // namespace gmoe::cuda

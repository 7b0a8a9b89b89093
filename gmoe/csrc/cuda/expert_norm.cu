// Batch normalisation of routed rows on CUDA.
#include <tuple>

#include <torch/csrc/stable/library.h>

#include "../expert_norm.h"
#include "norm_launch.h"

namespace gmoe::cuda {

namespace {

// A row of threads per row.
template <typename T, int N>
__global__ void __launch_bounds__(kThreads) normalize(
    ExpertRows rows, Affine<acc_t<T>> affine, const T* h, bool relu, T* out) {
  const int64_t r = row_item();
  if (r >= rows.num_rows) {
    return;
  }
  const int64_t D = rows.channels, o = rows.expert_of(r);
  for (int64_t d = threadIdx.x * N; d < D; d += blockDim.x * N) {
    acc_t<T> x[N], scale[N], shift[N];
    load(h + r * D + d, x);
    load(affine.scale + o * D + d, scale);
    load(affine.shift + o * D + d, shift);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      x[k] = x[k] * scale[k] + shift[k];
      x[k] = relu ? gmoe::relu(x[k]) : x[k];
    }
    store(out + r * D + d, x);
  }
}

ExpertRows rows_of(const Tensor& h, const Tensor& gamma, const Tensor& ptr) {
  return {
      ptr.const_data_ptr<int64_t>(), gamma.size(0), h.size(0), h.size(1)};
}

std::tuple<Tensor, Tensor, Tensor> expert_norm(
    Tensor h,
    Tensor gamma,
    Tensor beta,
    Tensor running_mean,
    Tensor running_var,
    Tensor ptr,
    bool training,
    double eps,
    bool relu) {
  const Arguments arguments("h", h);
  take_norm(arguments, h, gamma, beta, running_mean, running_var, true, eps);
  take_expert_ptr(arguments, ptr, gamma.size(0), h.size(0));
  const ExpertRows rows = rows_of(h, gamma, ptr);
  const torch::stable::accelerator::DeviceGuard guard(h.get_device_index());
  Tensor out = torch::stable::empty_like(h);
  Tensor mean = torch::stable::clone(running_mean);
  Tensor var = torch::stable::clone(running_var);
  dispatch(h.scalar_type(), ScalarType::Long, [&](auto value, auto) {
    using T = decltype(value);
    const cudaStream_t stream = current_stream(h);
    const Normalisation<T> norm(stream, rows, h, mean, var);
    if (training) {
      norm.measure();
    }
    norm.prepare(gamma, beta, eps);
    T* to = out.template mutable_data_ptr<T>();
    norm.with({to}, [&](auto pack) {
      constexpr int N = decltype(pack)::value;
      launch(
          stream, per_row(rows.num_rows, rows.channels / N), normalize<T, N>,
          rows, norm.affine(), norm.h(), relu, to);
    });
  });
  return {out, mean, var};
}

std::tuple<Tensor, Tensor, Tensor> expert_norm_backward(
    Tensor grad,
    Tensor h,
    Tensor gamma,
    Tensor beta,
    Tensor mean,
    Tensor var,
    Tensor ptr,
    bool training,
    double eps,
    bool relu) {
  const Arguments arguments("h", h);
  take_norm(arguments, h, gamma, beta, mean, var, false, eps);
  take_expert_ptr(arguments, ptr, gamma.size(0), h.size(0));
  arguments.take("grad", grad, h.scalar_type(), {h.size(0), h.size(1)});
  const ExpertRows rows = rows_of(h, gamma, ptr);
  const torch::stable::accelerator::DeviceGuard guard(h.get_device_index());
  Tensor grad_h = torch::stable::empty_like(h);
  Tensor grad_gamma = torch::stable::empty_like(gamma);
  Tensor grad_beta = torch::stable::empty_like(beta);
  dispatch(h.scalar_type(), ScalarType::Long, [&](auto value, auto) {
    using T = decltype(value);
    const Normalisation<T> norm(current_stream(h), rows, h, mean, var);
    norm.prepare(gamma, beta, eps);
    const Incoming<T, int64_t> incoming{
        grad.template const_data_ptr<T>(), nullptr, nullptr, relu};
    norm.backward(incoming, training, eps, grad_h, grad_gamma, grad_beta);
  });
  return {grad_h, grad_gamma, grad_beta};
}

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CUDA, m) {
  m.impl("expert_norm", TORCH_BOX(&expert_norm));
  m.impl("expert_norm_backward", TORCH_BOX(&expert_norm_backward));
}

} // namespace gmoe::cuda

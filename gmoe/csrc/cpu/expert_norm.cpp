// Batch normalisation of routed rows on the CPU, expert by expert.
#include <torch/csrc/stable/library.h>

#include "../expert_norm.h"
#include "inputs.h"
#include "norm.h"

namespace gmoe::cpu {

namespace {

template <typename T>
void normalize(
    const Affine<T>& affine, const T* h, int64_t rows, int64_t channels,
    bool relu, T* out) {
  using A = acc_t<T>;
  const A* scale = affine.scale.data();
  const A* shift = affine.shift.data();
  for_each_chunk(rows, [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T* from = h + r * channels;
      T* to = out + r * channels;
      if (relu) {
        norm_loops<T>().relu_affine(to, from, scale, shift, channels);
        continue;
      }
      for (int64_t d = 0; d < channels; ++d) {
        to[d] = static_cast<T>(static_cast<A>(from[d]) * scale[d] + shift[d]);
      }
    }
  });
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
  Tensor out = torch::stable::empty_like(h);
  Tensor mean = torch::stable::clone(running_mean);
  Tensor var = torch::stable::clone(running_var);
  dispatch(h.scalar_type(), ScalarType::Long, [&](auto value, auto) {
    using T = decltype(value);
    using A = acc_t<T>;
    const int64_t D = h.size(1);
    const int64_t* bound = ptr.template const_data_ptr<int64_t>();
    for (int64_t o = 0; o < gamma.size(0); ++o) {
      const T* rows = h.template const_data_ptr<T>() + bound[o] * D;
      const int64_t size = bound[o + 1] - bound[o];
      A* mean_of = mean.template mutable_data_ptr<A>() + o * D;
      A* var_of = var.template mutable_data_ptr<A>() + o * D;
      if (training && size > 1) { // One row has no variance.
        mean_and_variance(rows, size, D, mean_of, var_of);
      }
      const Affine<T> affine(
          mean_of, var_of, gamma.template const_data_ptr<T>() + o * D,
          beta.template const_data_ptr<T>() + o * D, D, eps);
      normalize(
          affine, rows, size, D, relu,
          out.template mutable_data_ptr<T>() + bound[o] * D);
    }
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
  Tensor grad_h = torch::stable::empty_like(h);
  Tensor grad_gamma = torch::stable::empty_like(gamma);
  Tensor grad_beta = torch::stable::empty_like(beta);
  dispatch(h.scalar_type(), ScalarType::Long, [&](auto value, auto) {
    using T = decltype(value);
    using A = acc_t<T>;
    const int64_t D = h.size(1);
    const int64_t* bound = ptr.template const_data_ptr<int64_t>();
    for (int64_t o = 0; o < gamma.size(0); ++o) {
      const int64_t first = bound[o] * D, size = bound[o + 1] - bound[o];
      const T* incoming = grad.template const_data_ptr<T>() + first;
      const Affine<T> affine(
          mean.template const_data_ptr<A>() + o * D,
          var.template const_data_ptr<A>() + o * D,
          gamma.template const_data_ptr<T>() + o * D,
          beta.template const_data_ptr<T>() + o * D, D, eps);
      NormBackward backward{
          affine,
          h.template const_data_ptr<T>() + first,
          size,
          D,
          relu,
          training && size > 1,
          [=](int64_t r) { return incoming + r * D; },
          [](int64_t) { return A(1); }};
      backward.reduce(
          grad_gamma.template mutable_data_ptr<T>() + o * D,
          grad_beta.template mutable_data_ptr<T>() + o * D);
      backward.apply(grad_h.template mutable_data_ptr<T>() + first);
    }
  });
  return {grad_h, grad_gamma, grad_beta};
}

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CPU, m) {
  m.impl("expert_norm", TORCH_BOX(&expert_norm));
  m.impl("expert_norm_backward", TORCH_BOX(&expert_norm_backward));
}

} // namespace gmoe::cpu

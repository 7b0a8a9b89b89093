// Normalisation of routed rows, and their weighted sum at each node, on the
// CPU. Normalised rows are never written.
#include <torch/csrc/stable/library.h>

#include "../expert_norm.h"
#include "blocks.h"
#include "inputs.h"
#include "message.h"
#include "norm.h"

namespace gmoe::cpu {

namespace {

template <typename Index>
std::vector<int64_t> slot_ptr(const Tensor& expert, int64_t num_experts) {
  std::vector<int64_t> ptr(num_experts + 1, 0);
  const Index* data = expert.const_data_ptr<Index>();
  for (int64_t s = 0; s < expert.numel(); ++s) {
    ++ptr[data[s] + 1];
  }
  std::partial_sum(ptr.begin(), ptr.end(), ptr.begin());
  return ptr;
}

template <typename T>
std::vector<Affine<T>> affines(
    const Tensor& mean, const Tensor& var, const Tensor& gamma,
    const Tensor& beta, double eps) {
  const int64_t n = gamma.size(0), D = gamma.size(1);
  std::vector<Affine<T>> out;
  out.reserve(n);
  for (int64_t o = 0; o < n; ++o) {
    out.emplace_back(
        mean.const_data_ptr<acc_t<T>>() + o * D,
        var.const_data_ptr<acc_t<T>>() + o * D,
        gamma.const_data_ptr<T>() + o * D, beta.const_data_ptr<T>() + o * D,
        D, eps);
  }
  return out;
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
  const int64_t D = h.size(1), n = gamma.size(0);
  Tensor out = torch::stable::new_empty(h, {num_nodes, D});
  Tensor mean = torch::stable::clone(running_mean);
  Tensor var = torch::stable::clone(running_var);
  dispatch(h.scalar_type(), node.scalar_type(), [&](auto value, auto index) {
    using T = decltype(value);
    using A = acc_t<T>;
    using Index = decltype(index);
    const T* rows = h.template const_data_ptr<T>();
    const auto ptr = slot_ptr<Index>(expert, n);
    for (int64_t o = 0; training && o < n; ++o) {
      const int64_t size = ptr[o + 1] - ptr[o];
      if (size > 1) { // One row has no variance.
        mean_and_variance(
            rows + ptr[o] * D, size, D, mean.mutable_data_ptr<A>() + o * D,
            var.mutable_data_ptr<A>() + o * D);
      }
    }
    const auto affine = affines<T>(mean, var, gamma, beta, eps);
    const Index* experts = expert.template const_data_ptr<Index>();
    const A* weights = weight.const_data_ptr<A>();
    const Grouped by_node(
        node.template const_data_ptr<Index>(), 0, node.numel(), num_nodes);
    T* to = out.template mutable_data_ptr<T>();
    torch::stable::parallel_for(
        0, num_nodes, grain(4 * D), [&](int64_t begin, int64_t end) {
          std::vector<A> sum(D);
          for (int64_t i = begin; i < end; ++i) {
            std::fill(sum.begin(), sum.end(), A(0));
            for (int64_t q = by_node.ptr[i]; q < by_node.ptr[i + 1]; ++q) {
              const int64_t s = by_node.position[q];
              const Affine<T>& a = affine[experts[s]];
              norm_loops<T>().add_affine(
                  sum.data(), rows + s * D, weights[s], a.scale.data(),
                  a.shift.data(), D);
            }
            std::copy(sum.begin(), sum.end(), to + i * D);
          }
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
  Tensor grad_h = torch::stable::empty_like(h);
  Tensor grad_weight = torch::stable::empty_like(weight);
  Tensor grad_gamma = torch::stable::empty_like(gamma);
  Tensor grad_beta = torch::stable::empty_like(beta);
  dispatch(h.scalar_type(), node.scalar_type(), [&](auto value, auto index) {
    using T = decltype(value);
    using A = acc_t<T>;
    using Index = decltype(index);
    const int64_t D = h.size(1), n = gamma.size(0);
    const auto ptr = slot_ptr<Index>(expert, n);
    const auto affine = affines<T>(mean, var, gamma, beta, eps);
    const T* rows = h.template const_data_ptr<T>();
    const T* incoming = grad.template const_data_ptr<T>();
    const Index* nodes = node.template const_data_ptr<Index>();
    const A* weights = weight.const_data_ptr<A>();
    A* to_weight = grad_weight.mutable_data_ptr<A>();
    for (int64_t o = 0; o < n; ++o) {
      const int64_t first = ptr[o], size = ptr[o + 1] - first;
      NormBackward backward{
          affine[o],
          rows + first * D,
          size,
          D,
          false,
          training && size > 1,
          [=](int64_t r) { return incoming + nodes[first + r] * D; },
          [=](int64_t r) { return weights[first + r]; }};
      backward.reduce(
          grad_gamma.template mutable_data_ptr<T>() + o * D,
          grad_beta.template mutable_data_ptr<T>() + o * D);
      backward.apply(grad_h.template mutable_data_ptr<T>() + first * D);
      for_each_chunk(size, [&](int64_t, int64_t begin, int64_t end) {
        std::vector<A> normalised(D);
        for (int64_t s = first + begin; s < first + end; ++s) {
          std::fill(normalised.begin(), normalised.end(), A(0));
          norm_loops<T>().add_affine(
              normalised.data(), rows + s * D, A(1), affine[o].scale.data(),
              affine[o].shift.data(), D);
          A sum = 0;
          const T* g = incoming + nodes[s] * D;
          if constexpr (std::is_same_v<T, A>) {
            sum = blocks<T>().dot(normalised.data(), g, D);
          } else {
            for (int64_t d = 0; d < D; ++d) {
              sum += normalised[d] * static_cast<A>(g[d]);
            }
          }
          to_weight[s] = sum;
        }
      });
    }
  });
  return {grad_h, grad_weight, grad_gamma, grad_beta};
}

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CPU, m) {
  m.impl("norm_combine", TORCH_BOX(&norm_combine));
  m.impl("norm_combine_backward", TORCH_BOX(&norm_combine_backward));
}

} // namespace gmoe::cpu

// The experts' two-layer networks on the CPU, expert by expert: what is
// between the two products stays in a buffer of one expert.
#include <tuple>
#include <type_traits>

#include <torch/csrc/stable/library.h>

#include "../expert_norm.h"
#include "inputs.h"
#include "linear.h"
#include "message.h"
#include "norm.h"

namespace gmoe::cpu {

namespace {

struct Inputs {
  Tensor x, weight1, gamma, beta, weight2, ptr;

  void take(const Arguments& arguments) {
    check_real("x", x, true);
    const ScalarType type = x.scalar_type();
    arguments.take("x", x, type, {kAny, kAny});
    arguments.take("weight1", weight1, type, {kAny, x.size(1), kAny});
    const int64_t n = num_experts(), H = hidden();
    arguments.take("gamma", gamma, type, {n, H});
    arguments.take("beta", beta, type, {n, H});
    arguments.take("weight2", weight2, type, {n, H, kAny});
    take_expert_ptr(arguments, ptr, n, x.size(0));
  }

  // What has a value for each expert and hidden channel.
  void take_hidden(
      const Arguments& arguments, const char* name, Tensor& tensor) const {
    arguments.take(name, tensor, x.scalar_type(), {num_experts(), hidden()});
  }

  int64_t first(int64_t o) const { return ptr.const_data_ptr<int64_t>()[o]; }
  int64_t num_experts() const { return weight1.size(0); }
  int64_t hidden() const { return weight1.size(2); }

  int64_t most_rows() const {
    int64_t most = 0;
    for (int64_t o = 0; o < num_experts(); ++o) {
      most = std::max(most, first(o + 1) - first(o));
    }
    return most;
  }

  template <typename T>
  Affine<T> affine(
      int64_t o, const Tensor& mean, const Tensor& var, double eps) const {
    const int64_t H = hidden();
    return Affine<T>(
        mean.const_data_ptr<T>() + o * H, var.const_data_ptr<T>() + o * H,
        gamma.const_data_ptr<T>() + o * H, beta.const_data_ptr<T>() + o * H,
        H, eps);
  }
};

Tensor of(const Tensor& x, int64_t expert) {
  return torch::stable::select(x, 0, expert);
}

// out = a^T @ b, by way of the transpose of the narrower one where oneDNN
// needs one.
void transposed_product(const Tensor& out, const Tensor& a, const Tensor& b) {
  if (!prefers_onednn(a) || a.size(1) <= b.size(1)) {
    Factor(a).multiply_transposed(out, b);
    return;
  }
  const Tensor flipped =
      torch::stable::new_empty(out, {out.size(1), out.size(0)});
  Factor(b).multiply_transposed(flipped, a);
  Tensor to = out;
  torch::stable::copy_(to, transposed(flipped));
}

template <typename T>
void activate(
    const Affine<T>& affine, const T* h, int64_t rows, int64_t channels,
    T* out) {
  torch::stable::parallel_for(
      0, rows, grain(channels), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
          norm_loops<T>().relu_affine(
              out + r * channels, h + r * channels, affine.scale.data(),
              affine.shift.data(), channels);
        }
      });
}

template <typename T>
void sum_rows(const T* x, int64_t rows, int64_t channels, T* out) {
  const int64_t chunks = (rows + kChunk - 1) / kChunk;
  std::vector<T> part(chunks * channels, T(0));
  for_each_chunk(rows, [&](int64_t c, int64_t begin, int64_t end) {
    norm_loops<T>().add_rows(
        part.data() + c * channels, x + begin * channels, end - begin,
        channels);
  });
  std::fill(out, out + channels, T(0));
  norm_loops<T>().add_rows(out, part.data(), chunks, channels);
}

std::tuple<Tensor, Tensor, Tensor, Tensor> expert_mlp(
    Tensor x,
    Tensor weight1,
    Tensor bias1,
    Tensor gamma,
    Tensor beta,
    Tensor running_mean,
    Tensor running_var,
    Tensor weight2,
    Tensor bias2,
    Tensor ptr,
    bool training,
    double eps,
    bool save) {
  Inputs in{x, weight1, gamma, beta, weight2, ptr};
  const Arguments arguments("x", x);
  in.take(arguments);
  in.take_hidden(arguments, "bias1", bias1);
  in.take_hidden(arguments, "running_mean", running_mean);
  in.take_hidden(arguments, "running_var", running_var);
  arguments.take(
      "bias2", bias2, x.scalar_type(), {in.num_experts(), weight2.size(2)});
  check_eps(eps);
  x = in.x, weight1 = in.weight1, weight2 = in.weight2;
  const int64_t H = in.hidden(), most = in.most_rows();
  Tensor out = torch::stable::new_empty(x, {x.size(0), weight2.size(2)});
  Tensor hidden =
      torch::stable::new_empty(x, {save ? x.size(0) : int64_t(0), H});
  Tensor mean = torch::stable::clone(running_mean);
  Tensor var = torch::stable::clone(running_var);
  const Tensor activated = torch::stable::new_empty(x, {most, H});
  with_wide_type(x.scalar_type(), [&](auto value) {
    using T = decltype(value);
    for (int64_t o = 0; o < in.num_experts(); ++o) {
      const int64_t first = in.first(o), last = in.first(o + 1);
      const int64_t size = last - first;
      if (size == 0) {
        continue;
      }
      const Tensor z = rows(activated, 0, size);
      const Tensor h = save ? rows(hidden, first, last) : z;
      const Tensor added1 = of(bias1, o), added2 = of(bias2, o);
      multiply(h, rows(x, first, last), of(weight1, o), &added1);
      const T* from = h.template const_data_ptr<T>();
      if (training && size > 1) { // One row has no variance.
        mean_and_variance(
            from, size, H, mean.template mutable_data_ptr<T>() + o * H,
            var.template mutable_data_ptr<T>() + o * H);
      }
      const auto affine = in.template affine<T>(o, mean, var, eps);
      activate(affine, from, size, H, z.template mutable_data_ptr<T>());
      multiply(rows(out, first, last), z, of(weight2, o), &added2);
    }
  });
  return {out, hidden, mean, var};
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>
expert_mlp_backward(
    Tensor grad,
    Tensor x,
    Tensor hidden,
    Tensor mean,
    Tensor var,
    Tensor weight1,
    Tensor bias1,
    Tensor gamma,
    Tensor beta,
    Tensor weight2,
    Tensor ptr,
    bool training,
    double eps) {
  Inputs in{x, weight1, gamma, beta, weight2, ptr};
  const Arguments arguments("x", x);
  in.take(arguments);
  in.take_hidden(arguments, "mean", mean);
  in.take_hidden(arguments, "var", var);
  in.take_hidden(arguments, "bias1", bias1);
  arguments.take("hidden", hidden, x.scalar_type(), {kAny, in.hidden()});
  arguments.take(
      "grad", grad, x.scalar_type(), {x.size(0), weight2.size(2)});
  check_eps(eps);
  const bool saved = hidden.size(0) > 0;
  STD_TORCH_CHECK(
      !saved || hidden.size(0) == x.size(0), "'hidden' must have ",
      x.size(0), " rows or none, got ", hidden.size(0));
  x = in.x, weight1 = in.weight1, gamma = in.gamma, weight2 = in.weight2;
  const int64_t n = in.num_experts(), H = in.hidden(), most = in.most_rows();
  const int64_t D = weight2.size(2);
  Tensor grad_x = torch::stable::empty_like(x);
  Tensor grad_weight1 = torch::stable::empty_like(weight1);
  Tensor grad_bias1 = torch::stable::new_zeros(weight1, {n, H});
  Tensor grad_gamma = torch::stable::new_zeros(gamma, {n, H});
  Tensor grad_beta = torch::stable::new_zeros(gamma, {n, H});
  Tensor grad_weight2 = torch::stable::empty_like(weight2);
  Tensor grad_bias2 = torch::stable::new_zeros(weight2, {n, D});
  const Tensor buffer = torch::stable::new_empty(x, {most, H});
  const Tensor again =
      torch::stable::new_empty(x, {saved ? int64_t(0) : most, H});
  with_wide_type(x.scalar_type(), [&](auto value) {
    using T = decltype(value);
    for (int64_t o = 0; o < n; ++o) {
      const int64_t first = in.first(o), last = in.first(o + 1);
      const int64_t size = last - first;
      if (size == 0) { // The products write the others' gradients.
        fill_with_zeros<T>(grad_weight1, o);
        fill_with_zeros<T>(grad_weight2, o);
        continue;
      }
      const Tensor g = rows(grad, first, last);
      const Tensor z = rows(buffer, 0, size);
      T* to = z.template mutable_data_ptr<T>();
      const Tensor h_rows =
          saved ? rows(hidden, first, last) : rows(again, 0, size);
      if (!saved) {
        const Tensor added = of(bias1, o);
        multiply(h_rows, rows(x, first, last), of(weight1, o), &added);
      }
      const T* h = h_rows.template const_data_ptr<T>();
      const auto affine = in.template affine<T>(o, mean, var, eps);
      activate(affine, h, size, H, to);
      transposed_product(of(grad_weight2, o), z, g);
      sum_rows(
          g.template const_data_ptr<T>(), size, D,
          grad_bias2.template mutable_data_ptr<T>() + o * D);
      const Product grad_z(g, transposed(of(weight2, o)));
      NormBackward backward{
          affine,
          h,
          size,
          H,
          true,
          training && size > 1,
          [&](int64_t r) { return grad_z.template row<T>(r); },
          [](int64_t) { return T(1); }};
      backward.reduce(
          grad_gamma.template mutable_data_ptr<T>() + o * H,
          grad_beta.template mutable_data_ptr<T>() + o * H);
      backward.apply(to);
      if (!backward.batch_statistics) { // Else the mean takes a bias away.
        T* bias = grad_bias1.template mutable_data_ptr<T>() + o * H;
        for (int64_t d = 0; d < H; ++d) {
          bias[d] = affine.scale[d] * backward.sum[d];
        }
      }
      transposed_product(of(grad_weight1, o), rows(x, first, last), z);
      multiply(rows(grad_x, first, last), z, transposed(of(weight1, o)));
    }
  });
  return {
      grad_x, grad_weight1, grad_bias1, grad_gamma, grad_beta, grad_weight2,
      grad_bias2};
}

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CPU, m) {
  m.impl("expert_mlp", TORCH_BOX(&expert_mlp));
  m.impl("expert_mlp_backward", TORCH_BOX(&expert_mlp_backward));
}

} // namespace gmoe::cpu

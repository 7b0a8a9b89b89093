// The ops of the noisy top-k gate. What a device does of them is a class `On`:
//
// - On::Guard(tensor) makes the tensor's device the current one.
// - On::kMaxExperts is how many experts there may be.
// - On::forward(in, results) and On::backward(in, incoming, grad_clean,
//   grad_raw) do the work; grad_raw is null where there is no noise.
#pragma once

#include <optional>
#include <tuple>
#include <vector>

#include <torch/csrc/stable/ops.h>

#include "inputs.h"

namespace gmoe {

using MaybeTensor = std::optional<Tensor>;

struct GateInputs {
  Tensor clean;
  MaybeTensor raw, noise;
  int64_t top_k;
  bool topk_first;

  int64_t num_rows() const {
    return clean.size(0);
  }
  int64_t num_experts() const {
    return clean.size(1);
  }
  bool has_load() const {
    return noise.has_value() && top_k < num_experts();
  }

  void check(int64_t max_experts) const {
    check_real("clean", clean, false);
    check_dim("clean", clean, 2);
    STD_TORCH_CHECK(
        num_experts() <= max_experts, "'clean' must have at most ",
        max_experts, " columns, one for each expert, got ", num_experts());
    STD_TORCH_CHECK(
        top_k >= 1 && top_k <= num_experts(), "'top_k' must be from 1 to ",
        num_experts(), ", the number of experts, got ", top_k);
    STD_TORCH_CHECK(
        raw.has_value() == noise.has_value(),
        "'raw' must be given with 'noise' and only then, got ",
        raw.has_value() ? "it" : "'noise'", " alone");
    check_rows("raw", raw, num_rows(), num_experts());
    check_rows("noise", noise, num_rows(), num_experts());
  }

  // Any strides will do.
  void check_rows(
      const char* name, const MaybeTensor& t, int64_t rows,
      int64_t width) const {
    if (t.has_value()) {
      Arguments("clean", clean)
          .check(name, *t, clean.scalar_type(), {rows, width});
    }
  }

  // The weights, the experts, the logits and the load.
  std::tuple<Tensor, Tensor, Tensor, Tensor> new_outputs() const {
    const int64_t N = num_rows(), n = num_experts();
    return {
        torch::stable::new_empty(clean, {N, top_k}),
        torch::stable::new_empty(clean, {N, top_k}, ScalarType::Long),
        torch::stable::new_empty(clean, {noise.has_value() ? N : 0, n}),
        torch::stable::new_empty(clean, {has_load() ? N : 0, n})};
  }

  // Of 'clean' and, if it is there, 'raw'.
  std::vector<Tensor> new_gradients() const {
    std::vector<Tensor> out;
    for (int count = raw.has_value() ? 2 : 1; count > 0; --count) {
      out.push_back(
          torch::stable::new_empty(clean, {num_rows(), num_experts()}));
    }
    return out;
  }
};

struct GateGradients {
  MaybeTensor weight, logits, load;

  void check(const GateInputs& in) {
    const int64_t N = in.num_rows(), n = in.num_experts();
    const bool noisy = in.noise.has_value();
    in.check_rows("grad_weight", weight, N, in.top_k);
    in.check_rows("grad_logits", logits, noisy ? N : 0, n);
    in.check_rows("grad_load", load, in.has_load() ? N : 0, n);
    // What has no gradient is empty, and so is the gradient of it.
    if (!noisy) {
      logits.reset();
    }
    if (!in.has_load()) {
      load.reset();
    }
  }
};

// A matrix of any strides, or none.
template <typename T>
struct Matrix {
  const T* data = nullptr;
  int64_t row_stride = 0, stride = 0;

  Matrix() = default;
  explicit Matrix(const Tensor& t)
      : data(t.const_data_ptr<T>()),
        row_stride(t.stride(0)),
        stride(t.stride(1)) {}
  explicit Matrix(const MaybeTensor& t) : Matrix(t ? Matrix(*t) : Matrix()) {}

  GMOE_HOST_DEVICE acc_t<T> at(int64_t row, int64_t column) const {
    return static_cast<acc_t<T>>(data[row * row_stride + column * stride]);
  }
};

template <typename T>
struct GateResults {
  T* weight;
  int64_t* expert;
  T *logits, *load; // Or null.
};

// Gradients of the weights, the logits and the load, or none.
template <typename T>
struct GateIncoming {
  Matrix<T> weight, logits, load;
};

template <typename On>
std::tuple<Tensor, Tensor, Tensor, Tensor> noisy_topk(
    Tensor clean, MaybeTensor raw, MaybeTensor noise, int64_t top_k,
    bool topk_first) {
  const GateInputs in{clean, raw, noise, top_k, topk_first};
  in.check(On::kMaxExperts);
  const typename On::Guard guard(clean);
  const auto outputs = in.new_outputs();
  with_channel_type("clean", clean.scalar_type(), [&](auto value) {
    using T = decltype(value);
    const auto& [weight, expert, logits, load] = outputs;
    const GateResults<T> results{
        weight.template mutable_data_ptr<T>(),
        expert.template mutable_data_ptr<int64_t>(),
        noise.has_value() ? logits.template mutable_data_ptr<T>() : nullptr,
        in.has_load() ? load.template mutable_data_ptr<T>() : nullptr};
    On::forward(in, results);
  });
  return outputs;
}

template <typename On>
std::vector<Tensor> noisy_topk_backward(
    MaybeTensor grad_weight, MaybeTensor grad_logits, MaybeTensor grad_load,
    Tensor clean, MaybeTensor raw, MaybeTensor noise, int64_t top_k,
    bool topk_first) {
  const GateInputs in{clean, raw, noise, top_k, topk_first};
  in.check(On::kMaxExperts);
  GateGradients grads{grad_weight, grad_logits, grad_load};
  grads.check(in);
  const typename On::Guard guard(clean);
  const std::vector<Tensor> out = in.new_gradients();
  with_channel_type("clean", clean.scalar_type(), [&](auto value) {
    using T = decltype(value);
    const GateIncoming<T> incoming{
        Matrix<T>(grads.weight), Matrix<T>(grads.logits),
        Matrix<T>(grads.load)};
    On::backward(
        in, incoming, out[0].template mutable_data_ptr<T>(),
        raw.has_value() ? out[1].template mutable_data_ptr<T>() : nullptr);
  });
  return out;
}

} // namespace gmoe

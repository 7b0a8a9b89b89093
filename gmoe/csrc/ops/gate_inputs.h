// What the ops of the noisy top-k gate take and give.
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

  void check() const {
    STD_TORCH_CHECK(clean.dim() == 2, "'clean' must have two dimensions");
    STD_TORCH_CHECK(
        top_k >= 1 && top_k <= num_experts(),
        "'top_k' must be from 1 to the number of experts");
    STD_TORCH_CHECK(
        raw.has_value() == noise.has_value(),
        "'raw' and 'noise' must be given together");
    check_like("raw", raw, num_experts());
    check_like("noise", noise, num_experts());
  }

  void check_like(const char* name, const MaybeTensor& t, int64_t width)
      const {
    STD_TORCH_CHECK(
        !t.has_value() ||
            (t->dim() == 2 && t->size(0) == num_rows() &&
             t->size(1) == width && t->scalar_type() == clean.scalar_type()),
        "'", name, "' must have the type and the rows of 'clean', and ",
        width, " columns");
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
    // What has no gradient is empty, and so is the gradient of it.
    if (!in.noise.has_value()) {
      logits.reset();
    }
    if (!in.has_load()) {
      load.reset();
    }
    in.check_like("grad_weight", weight, in.top_k);
    in.check_like("grad_logits", logits, in.num_experts());
    in.check_like("grad_load", load, in.num_experts());
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

} // namespace gmoe

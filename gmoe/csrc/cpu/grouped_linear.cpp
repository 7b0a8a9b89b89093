// Linear maps of groups of rows on the CPU: a product of a library for each
// group.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include "../grouped_linear.h"
#include "inputs.h"
#include "linear.h"

namespace gmoe::cpu {

namespace {

Tensor of(const Tensor& tensor, int64_t group) {
  return torch::stable::select(tensor, 0, group);
}

// Calls f with the number of each group that has rows, and its rows.
template <typename F>
void for_each_group(const Tensor& ptr, const F& f) {
  const int64_t* bound = ptr.const_data_ptr<int64_t>();
  const int64_t num_groups = ptr.numel() - 1;
  for (int64_t g = 0; g < num_groups; ++g) {
    if (bound[g] < bound[g + 1]) {
      f(g, bound[g], bound[g + 1]);
    }
  }
}

struct OnCpu {
  using Guard = cpu::Guard;

  static void linear(
      const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias,
      const Tensor& ptr, const Tensor& out) {
    for_each_group(ptr, [&](int64_t g, int64_t begin, int64_t end) {
      std::optional<Tensor> added;
      if (bias.has_value()) {
        added = of(*bias, g);
      }
      multiply(
          rows(out, begin, end), rows(x, begin, end), of(weight, g),
          added ? &*added : nullptr);
    });
    const int64_t used = ptr.const_data_ptr<int64_t>()[ptr.numel() - 1];
    Tensor unused = rows(out, used, x.size(0));
    torch::stable::zero_(unused);
  }

  static void outer(
      const Tensor& x, const Tensor& y, const Tensor& ptr, Tensor& out) {
    torch::stable::zero_(out);
    for_each_group(ptr, [&](int64_t g, int64_t begin, int64_t end) {
      Factor(rows(x, begin, end))
          .multiply_transposed(of(out, g), rows(y, begin, end));
    });
  }
};

bool rows_prefer_onednn(Tensor x) { return prefers_onednn(x); }

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CPU, m) {
  m.impl("grouped_linear", TORCH_BOX(&grouped_linear<OnCpu>));
  m.impl("grouped_outer", TORCH_BOX(&grouped_outer<OnCpu>));
  m.impl("prefers_onednn", TORCH_BOX(&rows_prefer_onednn));
}

} // namespace gmoe::cpu

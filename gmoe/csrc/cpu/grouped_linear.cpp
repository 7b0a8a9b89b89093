// Linear maps of groups of rows on the CPU: a product of a library for each
// group.
#include <optional>

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include "../grouped_linear.h"
#include "linear.h"

namespace gmoe::cpu {

namespace {

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

Tensor grouped_linear(
    Tensor x, Tensor weight, std::optional<Tensor> bias, Tensor ptr) {
  const Arguments arguments("x", x);
  take_groups(arguments, x, ptr);
  take_weight(arguments, x, weight, bias, ptr);
  const int64_t num_rows = x.size(0), num_groups = ptr.numel() - 1;
  Tensor out = torch::stable::new_empty(x, {num_rows, weight.size(2)});
  for_each_group(ptr, [&](int64_t g, int64_t begin, int64_t end) {
    const Tensor map = torch::stable::select(weight, 0, g);
    std::optional<Tensor> added;
    if (bias.has_value()) {
      added = torch::stable::select(*bias, 0, g);
    }
    Product(rows(x, begin, end), map, added ? &*added : nullptr)
        .copy_to(rows(out, begin, end));
  });
  const int64_t last = ptr.const_data_ptr<int64_t>()[num_groups];
  if (last < num_rows) {
    Tensor unused = rows(out, last, num_rows);
    torch::stable::zero_(unused);
  }
  return out;
}

Tensor grouped_outer(Tensor x, Tensor y, Tensor ptr) {
  take_outer(Arguments("x", x), x, y, ptr);
  const int64_t num_groups = ptr.numel() - 1;
  Tensor out =
      torch::stable::new_zeros(x, {num_groups, x.size(1), y.size(1)});
  for_each_group(ptr, [&](int64_t g, int64_t begin, int64_t end) {
    Factor(rows(x, begin, end))
        .multiply_transposed(
            torch::stable::select(out, 0, g), rows(y, begin, end));
  });
  return out;
}

bool rows_prefer_onednn(Tensor x) { return prefers_onednn(x); }

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CPU, m) {
  m.impl("grouped_linear", TORCH_BOX(&grouped_linear));
  m.impl("grouped_outer", TORCH_BOX(&grouped_outer));
  m.impl("prefers_onednn", TORCH_BOX(&rows_prefer_onednn));
}

} // namespace gmoe::cpu

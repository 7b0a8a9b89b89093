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
void for_each_group(const Tensor& ptr, int64_t num_rows, const F& f) {
  const int64_t* bound = ptr.const_data_ptr<int64_t>();
  const int64_t num_groups = ptr.numel() - 1;
  STD_TORCH_CHECK(
      bound[0] == 0 && bound[num_groups] <= num_rows, "'ptr' must go from 0 to ",
      num_rows, " at most, got ", bound[0], " and ", bound[num_groups]);
  for (int64_t g = 0; g < num_groups; ++g) {
    STD_TORCH_CHECK(bound[g] <= bound[g + 1], "'ptr' must not decrease");
    if (bound[g] < bound[g + 1]) {
      f(g, bound[g], bound[g + 1]);
    }
  }
}

Tensor grouped_linear(
    Tensor x, Tensor weight, std::optional<Tensor> bias, Tensor ptr) {
  check_groups(x, weight, ptr);
  check_weight(x, weight, ptr);
  STD_TORCH_CHECK(x.is_contiguous(), "'x' must be contiguous");
  const int64_t num_rows = x.size(0), num_groups = ptr.numel() - 1;
  Tensor out = torch::stable::new_empty(x, {num_rows, weight.size(2)});
  for_each_group(ptr, num_rows, [&](int64_t g, int64_t begin, int64_t end) {
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
  check_groups(x, y, ptr);
  STD_TORCH_CHECK(
      y.dim() == 2 && y.size(0) == x.size(0) && x.is_contiguous() &&
          y.is_contiguous(),
      "'x' and 'y' must be contiguous, with as many rows each");
  const int64_t num_groups = ptr.numel() - 1;
  Tensor out =
      torch::stable::new_zeros(x, {num_groups, x.size(1), y.size(1)});
  for_each_group(ptr, x.size(0), [&](int64_t g, int64_t begin, int64_t end) {
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

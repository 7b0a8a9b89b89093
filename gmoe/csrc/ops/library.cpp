// The schemas of all ops. Kernels are registered beside their launchers;
// fake kernels and autograd formulas in gmoe/ops.
#include <torch/csrc/stable/library.h>

STABLE_TORCH_LIBRARY(gmoe, m) {
  m.def(
      "routed_message(Tensor x, Tensor node, Tensor expert, Tensor ptr, "
      "Tensor source, Tensor? row_of, Tensor[] tables, Tensor[] codes, "
      "Tensor? edge_weight) -> Tensor");
  m.def(
      "routed_message_backward(Tensor grad, Tensor x, Tensor node, "
      "Tensor expert, Tensor ptr, Tensor source, Tensor? row_of, "
      "Tensor[] tables, Tensor[] codes, Tensor? edge_weight, "
      "bool needs_edge_weight) -> Tensor[]");
}

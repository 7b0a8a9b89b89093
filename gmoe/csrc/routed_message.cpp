// Routed message passing: see gmoe/ops/routed_message.py.
#include <torch/csrc/stable/library.h>

// The library's one definition; other ops add fragments.
STABLE_TORCH_LIBRARY(gmoe, m) {
  m.def(
      "routed_message(Tensor x, Tensor node, Tensor expert, Tensor? row_of, "
      "Tensor? root, Tensor? self_scale, int num_experts, bool own_rows, "
      "int[] hop_experts, Tensor[] ptr, Tensor[] source, int[] num_tables, "
      "Tensor[] tables, Tensor[] codes, Tensor[] edge_weight, "
      "Tensor[] root_weight, SymInt num_messages) -> (Tensor out, Tensor mask)");
  m.def(
      "routed_message_backward(Tensor grad, Tensor mask, Tensor x, "
      "Tensor node, Tensor expert, Tensor? row_of, Tensor? root, "
      "Tensor? self_scale, int num_experts, bool own_rows, "
      "int[] hop_experts, Tensor[] ptr, Tensor[] source, int[] num_tables, "
      "Tensor[] tables, Tensor[] codes, Tensor[] edge_weight, "
      "Tensor[] root_weight, bool needs_edge_weight) -> Tensor[]");
}

// Graph convolutions that transform before they aggregate: see
// gmoe/ops/gcn_experts.py.
#include <torch/csrc/stable/library.h>

STABLE_TORCH_LIBRARY_FRAGMENT(gmoe, m) {
  m.def(
      "gcn_experts(Tensor x, Tensor weight, Tensor root, Tensor node, "
      "Tensor expert, int[] hop_experts, Tensor[] ptr, Tensor[] source, "
      "int[] num_tables, Tensor[] tables, Tensor[] codes, "
      "Tensor[] edge_weight, Tensor[] root_weight, SymInt num_messages) "
      "-> (Tensor out, Tensor mask)");
  m.def(
      "gcn_experts_backward(Tensor grad, Tensor mask, Tensor x, "
      "Tensor weight, Tensor root, Tensor node, Tensor expert, "
      "int[] hop_experts, Tensor[] ptr, Tensor[] source, int[] num_tables, "
      "Tensor[] tables, Tensor[] codes, Tensor[] edge_weight, "
      "Tensor[] root_weight, bool needs_x) -> Tensor[]");
}

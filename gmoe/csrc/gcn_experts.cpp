// Graph convolutions that transform before they aggregate: see
// gmoe/ops/gcn_experts.py.
#include <torch/csrc/stable/library.h>

STABLE_TORCH_LIBRARY_FRAGMENT(gmoe, m) {
  m.def(
      "gcn_experts(Tensor x, Tensor weight, Tensor root, Tensor node, "
      "Tensor expert, Tensor[] hops, int[] hop_sizes, SymInt num_messages) "
      "-> (Tensor out, Tensor mask)");
  m.def(
      "gcn_experts_backward(Tensor grad, Tensor mask, Tensor x, "
      "Tensor weight, Tensor root, Tensor node, Tensor expert, "
      "Tensor[] hops, int[] hop_sizes, bool needs_x) -> Tensor[]");
}

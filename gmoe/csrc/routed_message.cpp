// Routed message passing: see gmoe/ops/routed_message.py.
#include <torch/csrc/stable/library.h>

// The library's one definition; other ops add fragments.
STABLE_TORCH_LIBRARY(gmoe, m) {
  m.def(
      "routed_message(Tensor x, Tensor node, Tensor expert, Tensor[] hops, "
      "int[] hop_sizes, Tensor? row_of, Tensor? root, Tensor? self_scale, "
      "bool own_rows, SymInt num_messages) -> (Tensor out, Tensor mask)");
  m.def(
      "routed_message_backward(Tensor grad, Tensor mask, Tensor x, "
      "Tensor node, Tensor expert, Tensor[] hops, int[] hop_sizes, "
      "Tensor? row_of, Tensor? root, Tensor? self_scale, bool own_rows, "
      "bool needs_edge_weight) -> Tensor[]");
}

// The weighted sum of the experts' two-layer networks: see
// gmoe/ops/routed_mlp.py.
#include <torch/csrc/stable/library.h>

STABLE_TORCH_LIBRARY_FRAGMENT(gmoe, m) {
  m.def(
      "routed_mlp(Tensor x, Tensor weight1, Tensor bias1, Tensor weight2, "
      "Tensor bias2, Tensor gate, Tensor expert, Tensor ptr, "
      "int activation) -> (Tensor out, Tensor hidden)");
  m.def(
      "routed_mlp_backward(Tensor grad, Tensor x, Tensor hidden, "
      "Tensor weight1, Tensor weight2, Tensor bias2, Tensor gate, "
      "Tensor expert, Tensor ptr, int activation, bool needs_x) "
      "-> (Tensor x, Tensor weight1, Tensor bias1, Tensor weight2, "
      "Tensor bias2, Tensor gate)");
}

// The experts' two-layer networks: see gmoe/ops/expert_mlp.py.
#include <torch/csrc/stable/library.h>

STABLE_TORCH_LIBRARY_FRAGMENT(gmoe, m) {
  m.def(
      "expert_mlp(Tensor x, Tensor weight1, Tensor bias1, Tensor gamma, "
      "Tensor beta, Tensor running_mean, Tensor running_var, Tensor weight2, "
      "Tensor bias2, Tensor ptr, bool training, float eps, bool save) "
      "-> (Tensor out, Tensor hidden, Tensor mean, Tensor var)");
  m.def(
      "expert_mlp_backward(Tensor grad, Tensor x, Tensor hidden, "
      "Tensor mean, Tensor var, Tensor weight1, Tensor bias1, Tensor gamma, "
      "Tensor beta, Tensor weight2, Tensor ptr, bool training, float eps) "
      "-> (Tensor x, Tensor weight1, Tensor bias1, Tensor gamma, "
      "Tensor beta, Tensor weight2, Tensor bias2)");
}

// Batch normalisation of routed rows: see gmoe/ops/expert_norm.py.
#include <torch/csrc/stable/library.h>

STABLE_TORCH_LIBRARY_FRAGMENT(gmoe, m) {
  m.def(
      "expert_norm(Tensor h, Tensor gamma, Tensor beta, Tensor running_mean, "
      "Tensor running_var, Tensor ptr, bool training, float eps, bool relu) "
      "-> (Tensor out, Tensor mean, Tensor var)");
  m.def(
      "expert_norm_backward(Tensor grad, Tensor h, Tensor gamma, "
      "Tensor beta, Tensor mean, Tensor var, Tensor ptr, bool training, "
      "float eps, bool relu) -> (Tensor h, Tensor gamma, Tensor beta)");
}

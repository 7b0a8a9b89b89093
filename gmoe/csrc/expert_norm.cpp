// Batch normalisation of routed rows, and their weighted sum at each node: see
// gmoe/ops/expert_norm.py and gmoe/ops/norm_combine.py.
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
  m.def(
      "norm_combine(Tensor h, Tensor weight, Tensor gamma, Tensor beta, "
      "Tensor running_mean, Tensor running_var, Tensor node, Tensor expert, "
      "SymInt num_nodes, bool training, float eps) "
      "-> (Tensor out, Tensor mean, Tensor var)");
  m.def(
      "norm_combine_backward(Tensor grad, Tensor h, Tensor weight, "
      "Tensor gamma, Tensor beta, Tensor mean, Tensor var, Tensor node, "
      "Tensor expert, bool training, float eps) "
      "-> (Tensor h, Tensor weight, Tensor gamma, Tensor beta)");
}

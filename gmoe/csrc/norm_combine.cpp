// Normalisation and weighted sum of routed rows: see gmoe/ops/norm_combine.py.
#include <torch/csrc/stable/library.h>

STABLE_TORCH_LIBRARY_FRAGMENT(gmoe, m) {
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

#include <torch/csrc/stable/library.h>

STABLE_TORCH_LIBRARY_FRAGMENT(gmoe, m) {
  m.def(
      "group_by_expert(Tensor weight, Tensor expert, Tensor ptr, "
      "int num_experts) -> (Tensor weight, Tensor ptr, Tensor node, "
      "Tensor expert, Tensor order, Tensor position)");
}

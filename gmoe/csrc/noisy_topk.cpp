#include <torch/csrc/stable/library.h>

// Without noise, `logits` is empty: they are the clean scores. `load` is empty
// without noise or where all experts are selected.
STABLE_TORCH_LIBRARY_FRAGMENT(gmoe, m) {
  m.def(
      "noisy_topk(Tensor clean, Tensor? raw, Tensor? noise, int top_k, "
      "bool topk_first) -> (Tensor weight, Tensor expert, Tensor logits, "
      "Tensor load)");
  m.def(
      "noisy_topk_backward(Tensor? grad_weight, Tensor? grad_logits, "
      "Tensor? grad_load, Tensor clean, Tensor? raw, Tensor? noise, "
      "int top_k, bool topk_first) -> Tensor[]");
}

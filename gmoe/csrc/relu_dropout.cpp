// ReLU and dropout: see gmoe/ops/relu_dropout.py.
#include <torch/csrc/stable/library.h>

STABLE_TORCH_LIBRARY_FRAGMENT(gmoe, m) {
  m.def("relu_dropout(Tensor x, Tensor seed, float p, bool relu) -> Tensor");
  m.def(
      "relu_dropout_backward(Tensor grad, Tensor out, Tensor seed, float p, "
      "bool relu) -> Tensor");
}

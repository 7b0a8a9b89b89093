// Linear maps of groups of rows: see gmoe/ops/grouped_linear.py.
#include <torch/csrc/stable/library.h>

STABLE_TORCH_LIBRARY_FRAGMENT(gmoe, m) {
  m.def(
      "grouped_linear(Tensor x, Tensor weight, Tensor? bias, Tensor ptr) "
      "-> Tensor");
  m.def("grouped_outer(Tensor x, Tensor y, Tensor ptr) -> Tensor");
  m.def("prefers_onednn(Tensor x) -> bool");
}

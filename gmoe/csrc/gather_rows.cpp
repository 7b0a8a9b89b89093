// Rows by index: see gmoe/ops/gather_rows.py. For CUDA only.
#include <torch/csrc/stable/library.h>

STABLE_TORCH_LIBRARY_FRAGMENT(gmoe, m) {
  m.def("gather_rows(Tensor x, Tensor index) -> Tensor");
  m.def("add_rows(Tensor x, Tensor index, SymInt num_rows) -> Tensor");
}

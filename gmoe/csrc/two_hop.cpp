// The schema of the hop-2 edges.
#include <torch/csrc/stable/library.h>

STABLE_TORCH_LIBRARY_FRAGMENT(gmoe, m) {
  m.def(
      "two_hop(Tensor edge_index, Tensor blocked, SymInt num_nodes, "
      "bool coalesce) -> (Tensor, Tensor)");
}

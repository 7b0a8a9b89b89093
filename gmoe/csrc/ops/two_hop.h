// The paths of two edges that start at one node.
#pragma once

#include <cstdint>

#include "inputs.h"

namespace gmoe {

inline void check_two_hop(
    const Tensor& edge_index, const Tensor& blocked, int64_t num_nodes) {
  STD_TORCH_CHECK(
      edge_index.dim() == 2 && edge_index.size(0) == 2,
      "'edge_index' must have the shape [2, num_edges]");
  STD_TORCH_CHECK(
      blocked.dim() == 1 && blocked.size(0) == edge_index.size(1) &&
          blocked.scalar_type() == edge_index.scalar_type(),
      "'blocked' must have the type of 'edge_index' and one value per edge");
  STD_TORCH_CHECK(
      edge_index.is_contiguous() && blocked.is_contiguous(),
      "'edge_index' and 'blocked' must be contiguous");
  STD_TORCH_CHECK(num_nodes >= 0, "'num_nodes' must be non-negative");
}

// Edges grouped by source, in their order: those from node u are at positions
// ptr[u] to ptr[u + 1]. The edge at position p leads to target[p], is number
// edge[p] in the order of the input, and keeps the hop-2 edges from u to
// blocked[p], if it is not negative, away.
template <typename Id>
struct TwoHop {
  const int64_t* ptr;
  const Id* target;
  const Id* edge;
  const Id* blocked;
  bool coalesce;

  // Calls visit(p, q) for the positions of both edges of each path from u that
  // makes a hop-2 edge, and done(p, count) once per first edge. The marks, one
  // per node, must not hold u, and may be shared by nodes visited in turn.
  template <typename Visit, typename Done>
  GMOE_HOST_DEVICE void paths(
      Id u, Id* mark, Visit visit, Done done) const {
    mark[u] = u;
    for (int64_t p = ptr[u]; p < ptr[u + 1]; ++p) {
      if (blocked[p] >= 0) {
        mark[blocked[p]] = u;
      }
    }
    for (int64_t p = ptr[u]; p < ptr[u + 1]; ++p) {
      const Id v = target[p];
      int64_t count = 0;
      for (int64_t q = ptr[v]; q < ptr[v + 1]; ++q) {
        const Id w = target[q];
        if (mark[w] == u) {
          continue;
        }
        if (coalesce) {
          mark[w] = u;
        }
        visit(p, q);
        ++count;
      }
      done(p, count);
    }
  }
};

} // namespace gmoe

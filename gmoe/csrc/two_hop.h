// The paths of two edges that start at one node.
#pragma once

#include <cstdint>

#include "inputs.h"

namespace gmoe {

// A value of blocked that is no node blocks none.
inline void take_two_hop(
    Tensor& edge_index, Tensor& blocked, int64_t num_nodes) {
  const Arguments arguments("edge_index", edge_index);
  check_integer("edge_index", edge_index);
  const ScalarType index = edge_index.scalar_type();
  arguments.take("edge_index", edge_index, index, {2, kAny});
  arguments.take("blocked", blocked, index, {edge_index.size(1)});
  check_count("num_nodes", num_nodes);
  check_ids("edge_index", edge_index, num_nodes);
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

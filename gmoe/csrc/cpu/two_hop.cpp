// Hop-2 edges on the CPU, counted first and then written to their places. All
// paths that start at a node are seen by one thread in the order of the edges.
#include "../two_hop.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <vector>

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

namespace gmoe::cpu {

namespace {

// At least this many paths for a thread of its own.
constexpr int64_t kGrain = 1 << 14;

// The edges grouped by source, and the number of paths from the nodes before
// each node.
template <typename Id>
struct Grouped {
  std::vector<int64_t> ptr, path_ptr;
  std::vector<Id> target, edge, blocked;

  template <typename Index>
  Grouped(
      const Index* source,
      const Index* to,
      const Index* block,
      int64_t num_edges,
      int64_t num_nodes)
      : ptr(num_nodes + 1, 0),
        path_ptr(num_nodes + 1, 0),
        target(num_edges),
        edge(num_edges),
        blocked(num_edges) {
    for (int64_t e = 0; e < num_edges; ++e) {
      ++ptr[source[e] + 1];
    }
    for (int64_t e = 0; e < num_edges; ++e) {
      path_ptr[source[e] + 1] += ptr[to[e] + 1];
    }
    for (int64_t u = 0; u < num_nodes; ++u) {
      ptr[u + 1] += ptr[u];
      path_ptr[u + 1] += path_ptr[u];
    }
    std::vector<int64_t> next(ptr.begin(), ptr.end() - 1);
    for (int64_t e = 0; e < num_edges; ++e) {
      const int64_t p = next[source[e]]++;
      target[p] = static_cast<Id>(to[e]);
      edge[p] = static_cast<Id>(e);
      const bool is_node = block[e] >= 0 && block[e] < num_nodes;
      blocked[p] = static_cast<Id>(is_node ? block[e] : -1);
    }
  }
};

// Calls f(u, marks) for each node where a path starts. A thread takes nodes
// with about as many paths as the others.
template <typename Id, typename F>
void for_each_node(const Grouped<Id>& by, const F& f) {
  const std::vector<int64_t>& start = by.path_ptr;
  const int64_t num_nodes = static_cast<int64_t>(start.size()) - 1;
  auto first_from = [&](int64_t path) {
    return std::lower_bound(start.begin(), start.end() - 1, path) -
        start.begin();
  };
  torch::stable::parallel_for(
      0, start.back(), kGrain, [&](int64_t begin, int64_t end) {
        std::vector<Id> mark(num_nodes, -1);
        for (int64_t u = first_from(begin), last = first_from(end); u < last;
             ++u) {
          f(static_cast<Id>(u), mark.data());
        }
      });
}

// Writes the ends and the edges of each path.
template <typename Index, typename Id>
void fill(
    const TwoHop<Id>& op,
    const Grouped<Id>& by,
    const std::vector<int64_t>& start,
    int64_t size,
    Index* out,
    Index* path) {
  for_each_node(by, [&](Id u, Id* mark) {
    int64_t rank = 0;
    op.paths(
        u, mark,
        [&](int64_t p, int64_t q) {
          const int64_t to = start[op.edge[p]] + rank++;
          out[to] = u;
          out[size + to] = op.target[q];
          path[2 * to] = op.edge[p];
          path[2 * to + 1] = op.edge[q];
        },
        [&](int64_t, int64_t) { rank = 0; });
  });
}

// Ids of 32 bits are used inside wherever they are enough: they are faster.
template <typename Index, typename Id>
std::tuple<Tensor, Tensor> run(
    const Tensor& edge_index,
    const Tensor& blocked,
    int64_t num_nodes,
    bool coalesce) {
  const int64_t num_edges = edge_index.size(1);
  const Index* source = edge_index.const_data_ptr<Index>();
  const Grouped<Id> by(
      source, source + num_edges, blocked.const_data_ptr<Index>(), num_edges,
      num_nodes);
  const TwoHop<Id> op{
      by.ptr.data(), by.target.data(), by.edge.data(), by.blocked.data(),
      coalesce};
  // The number of hop-2 edges of each first edge, then of all before it.
  std::vector<int64_t> start(num_edges, 0);
  for_each_node(by, [&](Id u, Id* mark) {
    op.paths(
        u, mark, [](int64_t, int64_t) {},
        [&](int64_t p, int64_t count) { start[op.edge[p]] = count; });
  });
  int64_t size = 0;
  for (int64_t& value : start) {
    const int64_t count = value;
    value = size;
    size += count;
  }
  Tensor out = torch::stable::new_empty(edge_index, {2, size});
  Tensor path = torch::stable::new_empty(edge_index, {size, 2});
  fill(
      op, by, start, size, out.mutable_data_ptr<Index>(),
      path.mutable_data_ptr<Index>());
  return {out, path};
}

std::tuple<Tensor, Tensor> two_hop(
    Tensor edge_index, Tensor blocked, int64_t num_nodes, bool coalesce) {
  take_two_hop(edge_index, blocked, num_nodes);
  if (edge_index.scalar_type() == ScalarType::Int) {
    return run<int32_t, int32_t>(edge_index, blocked, num_nodes, coalesce);
  }
  const int64_t highest = std::max(num_nodes, edge_index.size(1));
  if (highest <= std::numeric_limits<int32_t>::max()) {
    return run<int64_t, int32_t>(edge_index, blocked, num_nodes, coalesce);
  }
  return run<int64_t, int64_t>(edge_index, blocked, num_nodes, coalesce);
}

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CPU, m) {
  m.impl("two_hop", TORCH_BOX(&two_hop));
}

} // namespace gmoe::cpu

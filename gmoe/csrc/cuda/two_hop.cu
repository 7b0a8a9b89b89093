// Hop-2 edges on CUDA, counted first and then written to their places. A warp
// takes the paths that begin with one edge, in the order of the second ones.
// How many there are is the one thing that the host waits for.
#include "../two_hop.h"

#include <cassert>
#include <tuple>

#include <torch/csrc/stable/library.h>

#include "group.h"
#include "launch.h"
#include "scan.h"

namespace gmoe::cuda {

namespace {

// Pairs of nodes as one number each, in ascending order.
struct Pairs {
  const int64_t* value;
  int64_t size, num_nodes;

  __device__ bool have(int64_t first, int64_t second) const {
    const int64_t pair = first * num_nodes + second;
    const int64_t k = lower_bound(value, size, pair);
    return k < size && value[k] == pair;
  }
};

// The pair of each edge's source with another node, if it is one, else -1.
template <typename Index>
__global__ void __launch_bounds__(kThreads) make_pairs(
    const Index* source, const Index* other, int64_t num_edges,
    int64_t num_nodes, int64_t* pair) {
  const int64_t e = thread_item();
  if (e < num_edges) {
    const int64_t u = source[e], w = other[e];
    pair[e] = w >= 0 && w < num_nodes ? u * num_nodes + w : -1;
  }
}

// The edges grouped by source are by_source.
template <typename Index>
struct Paths {
  const Index *source, *target;
  Group by_source;
  Pairs blocked;
  Pairs edges; // Empty where all paths of a pair are kept.
  int64_t num_edges, num_nodes;

  // Ids are not checked on the host, which would have to wait for them.
  __device__ void check(int64_t e) const {
    assert(source[e] >= 0 && source[e] < num_nodes);
    assert(target[e] >= 0 && target[e] < num_nodes);
  }

  __device__ int64_t end(int64_t position) const {
    return target[by_source.position[position]];
  }

  // Whether edge e and the edge at position q make a hop-2 edge.
  __device__ bool keep(int64_t e, int64_t q) const {
    const int64_t u = source[e], w = end(q);
    return w != u && !blocked.have(u, w) && (edges.size == 0 || is_first(e, q));
  }

  // Whether no path before it has the same ends.
  __device__ bool is_first(int64_t e, int64_t q) const {
    const int64_t u = source[e], v = target[e], w = end(q);
    for (int64_t p = by_source.ptr[v]; p < q; ++p) {
      if (end(p) == w) {
        return false;
      }
    }
    for (int64_t p = by_source.ptr[u]; by_source.position[p] < e; ++p) {
      if (edges.have(end(p), w)) {
        return false;
      }
    }
    return true;
  }

  // Calls f(q, rank) for the positions of the second edges of the paths that
  // begin with e, and gives their number. All lanes of a warp must call it.
  template <typename F>
  __device__ int64_t visit(int64_t e, F f) const {
    check(e);
    const int64_t v = target[e], last = by_source.ptr[v + 1];
    int64_t count = 0;
    for (int64_t first = by_source.ptr[v]; first < last; first += kWarp) {
      const int64_t q = first + threadIdx.x;
      const bool kept = q < last && keep(e, q);
      const unsigned lanes = __ballot_sync(kAllLanes, kept);
      if (kept) {
        f(q, count + __popc(lanes & lanes_before()));
      }
      count += __popc(lanes);
    }
    return count;
  }
};

template <typename Index>
__global__ void __launch_bounds__(kThreads)
    count_paths(const __grid_constant__ Paths<Index> paths, int64_t* count) {
  const int64_t e = row_item();
  if (e >= paths.num_edges) {
    return;
  }
  const int64_t found = paths.visit(e, [](int64_t, int64_t) {});
  if (threadIdx.x == 0) {
    count[e] = found;
  }
}

template <typename Index>
__global__ void __launch_bounds__(kThreads) fill_paths(
    const __grid_constant__ Paths<Index> paths, const int64_t* sum,
    int64_t size, Index* out, Index* path) {
  const int64_t e = row_item();
  if (e >= paths.num_edges) {
    return;
  }
  const int64_t begin = sum_before(sum, e);
  paths.visit(e, [&](int64_t q, int64_t rank) {
    const int64_t to = begin + rank, second = paths.by_source.position[q];
    out[to] = paths.source[e];
    out[size + to] = paths.target[second];
    path[2 * to] = static_cast<Index>(e);
    path[2 * to + 1] = static_cast<Index>(second);
  });
}

template <typename Index>
Tensor sorted_pairs(
    cudaStream_t stream, const Tensor& source, const Tensor& other,
    int64_t num_nodes) {
  const int64_t num_edges = source.numel();
  const Tensor pair =
      torch::stable::new_empty(source, {num_edges}, ScalarType::Long);
  launch(
      stream, per_item(num_edges), make_pairs<Index>,
      source.const_data_ptr<Index>(), other.const_data_ptr<Index>(),
      num_edges, num_nodes, pair.mutable_data_ptr<int64_t>());
  return stable_sort(pair).value;
}

// The last of some sums, for the host.
int64_t read_total(const Tensor& sum) {
  if (sum.numel() == 0) {
    return 0;
  }
  int64_t total = 0;
  const Tensor last = torch::stable::select(sum, 0, sum.numel() - 1);
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_item_int64(last.get(), &total));
  return total;
}

template <typename Index>
std::tuple<Tensor, Tensor> run(
    const Tensor& edge_index,
    const Tensor& blocked,
    int64_t num_nodes,
    bool coalesce) {
  const cudaStream_t stream = current_stream(edge_index);
  const int64_t num_edges = edge_index.size(1);
  const Tensor source = torch::stable::select(edge_index, 0, 0);
  const Tensor target = torch::stable::select(edge_index, 0, 1);
  const Grouped by_source = group<Index>(stream, source, num_nodes);
  auto view = [&](const Tensor& pairs) {
    return Pairs{
        pairs.const_data_ptr<int64_t>(), pairs.numel(), num_nodes};
  };
  const Tensor blocked_pairs =
      sorted_pairs<Index>(stream, source, blocked, num_nodes);
  const Tensor edge_pairs = coalesce
      ? sorted_pairs<Index>(stream, source, target, num_nodes)
      : torch::stable::new_empty(source, {0}, ScalarType::Long);
  const Paths<Index> paths{
      source.const_data_ptr<Index>(), target.const_data_ptr<Index>(),
      by_source.view(), view(blocked_pairs), view(edge_pairs), num_edges,
      num_nodes};
  const Tensor count =
      torch::stable::new_empty(source, {num_edges}, ScalarType::Long);
  const Shape shape = per_row(num_edges, kWarp);
  launch(
      stream, shape, count_paths<Index>, paths,
      count.mutable_data_ptr<int64_t>());
  const Tensor sum = cumulative_sum(count);
  const int64_t size = read_total(sum);
  Tensor out = torch::stable::new_empty(edge_index, {2, size});
  Tensor path = torch::stable::new_empty(edge_index, {size, 2});
  launch(
      stream, shape, fill_paths<Index>, paths, sum.const_data_ptr<int64_t>(),
      size, out.mutable_data_ptr<Index>(), path.mutable_data_ptr<Index>());
  return {out, path};
}

std::tuple<Tensor, Tensor> two_hop(
    Tensor edge_index, Tensor blocked, int64_t num_nodes, bool coalesce) {
  take_two_hop(edge_index, blocked, num_nodes);
  const torch::stable::accelerator::DeviceGuard guard(
      edge_index.get_device_index());
  if (edge_index.scalar_type() == ScalarType::Int) {
    return run<int32_t>(edge_index, blocked, num_nodes, coalesce);
  }
  return run<int64_t>(edge_index, blocked, num_nodes, coalesce);
}

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CUDA, m) {
  m.impl("two_hop", TORCH_BOX(&two_hop));
}

} // namespace gmoe::cuda

// The kernels of the backward pass of routed message passing on CUDA.
// Messages are made again from rows and tables.
#pragma once

#include "message.h"
#include "segments.h"

namespace gmoe::cuda {

// A row of threads per node, or per (expert, node) pair: a pair that no slot
// looks at may have no row.
template <typename T, typename Index, int N>
__global__ void __launch_bounds__(kThreads) grad_rows(
    const __grid_constant__ RoutedMessage<T, Index> op,
    const __grid_constant__ Transposed by,
    const T* grad,
    int64_t items,
    T* out) {
  const int64_t item = row_item();
  if (item >= items) {
    return;
  }
  const int64_t o = op.own_rows ? item / op.num_nodes : 0;
  const int64_t j = op.own_rows ? item % op.num_nodes : item;
  const ExpertRange all =
      op.own_rows ? ExpertRange{o, o + 1} : ExpertRange{0, op.num_experts};
  const int64_t D = op.channels;
  for (int64_t d = threadIdx.x * N; d < D; d += blockDim.x * N) {
    acc_t<T> sum[N] = {};
    bool found = !op.own_rows;
    for (int h = 0; h < op.num_hops; ++h) {
      const int64_t first = op.hop[h].first_expert;
      const ExpertRange range{
          max(all.first, first), min(all.last, first + op.hop[h].num_experts)};
      if (range.first >= range.last) {
        continue;
      }
      const Group& edges = by.edge[h];
      for (int64_t p = edges.ptr[j]; p < edges.ptr[j + 1]; ++p) {
        found |= gather(sum, op, by, grad, h, range, edges.position[p], d);
      }
    }
    found |= gather_own(sum, op, by, grad, all, j, d);
    if (!found) {
      return;
    }
    store(out + op.row(o, j) * D + d, sum);
  }
}

// The parts of a table's gradient, for each code: a row of threads per chunk
// of the edges ordered by code, and for each expert, if they have rows of
// their own.
template <typename T, typename Index, int N>
__global__ void __launch_bounds__(kThreads) table_parts(
    const __grid_constant__ RoutedMessage<T, Index> op,
    const __grid_constant__ Transposed by,
    const T* grad,
    int h,
    const Index* code,
    const int64_t* edge,
    Chunks chunks,
    int64_t num_groups,
    acc_t<T>* out) {
  const int64_t item = row_item();
  if (item >= chunks.count * num_groups) {
    return;
  }
  const int64_t chunk = item / num_groups, g = item % num_groups;
  const int64_t first = op.hop[h].first_expert + g;
  const ExpertRange range{
      first, first + (num_groups > 1 ? 1 : op.hop[h].num_experts)};
  const int64_t end = chunks.end(chunk), D = op.channels;
  for (int64_t d = threadIdx.x * N; d < D; d += blockDim.x * N) {
    acc_t<T> sum[N] = {};
    for (int64_t p = chunks.begin(chunk); p < end; ++p) {
      gather(sum, op, by, grad, h, range, edge[p], d);
      if (p + 1 == end || code[p + 1] != code[p]) {
        const int64_t part = chunk + code[p];
        store(out + (part * num_groups + g) * D + d, sum);
        clear(sum);
      }
    }
  }
}

// The parts of the root terms' gradients, or of the self scales' before they
// are summed over the channels, for each expert: a row of threads per chunk of
// the slots.
template <bool kRoot, typename T, typename Index, int N>
__global__ void __launch_bounds__(kThreads) expert_parts(
    const __grid_constant__ RoutedMessage<T, Index> op,
    const T* grad,
    Chunks chunks,
    acc_t<T>* out) {
  const int64_t chunk = row_item();
  if (chunk >= chunks.count) {
    return;
  }
  const int64_t end = chunks.end(chunk), D = op.channels;
  for (int64_t d = threadIdx.x * N; d < D; d += blockDim.x * N) {
    acc_t<T> sum[N] = {};
    for (int64_t s = chunks.begin(chunk); s < end; ++s) {
      const int64_t o = op.expert[s], i = op.node[s];
      if constexpr (kRoot) {
        add_masked(
            sum, op.root_message(op.hop_of(o), o, i), grad + s * D, d);
      } else {
        acc_t<T> x[N], g[N];
        load(op.x + i * D + d, x);
        load(grad + s * D + d, g);
#pragma unroll
        for (int k = 0; k < N; ++k) {
          sum[k] += x[k] * g[k];
        }
      }
      if (s + 1 == end || op.expert[s + 1] != o) {
        store(out + (chunk + o) * D + d, sum);
        clear(sum);
      }
    }
  }
}

// A warp per edge.
template <typename T, typename Index, int N>
__global__ void __launch_bounds__(kThreads) grad_edge_weight(
    const __grid_constant__ RoutedMessage<T, Index> op,
    const __grid_constant__ Transposed by,
    const T* grad,
    int h,
    int64_t num_edges,
    acc_t<T>* out) {
  const int64_t e = row_item();
  if (e >= num_edges) {
    return;
  }
  const Hop<T, Index>& hop = op.hop[h];
  const ExpertRange range{
      hop.first_expert, hop.first_expert + hop.num_experts};
  const int64_t D = op.channels;
  acc_t<T> sum = 0;
  by.each_slot(
      op.expert, range, by.target[h][e], [&](int64_t s, int64_t o) {
        const Message<T> message = op.edge_message(hop, o, e);
        for (int64_t d = threadIdx.x * N; d < D; d += kWarp * N) {
          acc_t<T> z[N], g[N];
          load_message(message, d, z);
          load(grad + s * D + d, g);
#pragma unroll
          for (int k = 0; k < N; ++k) {
            sum += relu(z[k]) * g[k];
          }
        }
      });
  sum = warp_sum(sum);
  if (threadIdx.x == 0) {
    out[e] = sum;
  }
}

} // namespace gmoe::cuda

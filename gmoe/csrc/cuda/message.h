// Messages on CUDA: a thread works on a pack of channels.
#pragma once

#include "group.h"
#include "launch.h"

namespace gmoe::cuda {

// N channels, from d on, of what an edge adds before its weight.
template <typename T, int N>
__device__ __forceinline__ void
load_message(const Message<T>& m, int64_t d, acc_t<T> (&z)[N]) {
  load(m.x + d, z);
  if (m.term1 != nullptr) {
    add(m.term1 + d, z);
  }
  if (m.term2 != nullptr) {
    add(m.term2 + d, z);
  }
}

// sum += weight * relu(message)
template <typename T, int N>
__device__ __forceinline__ void add_message(
    acc_t<T> (&sum)[N], const Message<T>& m, int64_t d, acc_t<T> weight) {
  acc_t<T> z[N];
  load_message(m, d, z);
#pragma unroll
  for (int k = 0; k < N; ++k) {
    sum[k] += weight * relu(z[k]);
  }
}

// sum += weight * grad where the message is positive
template <typename T, int N>
__device__ __forceinline__ void add_masked(
    acc_t<T> (&sum)[N],
    const Message<T>& m,
    const T* grad,
    int64_t d,
    acc_t<T> weight) {
  acc_t<T> z[N], g[N];
  load_message(m, d, z);
  load(grad + d, g);
#pragma unroll
  for (int k = 0; k < N; ++k) {
    sum[k] += weight * relu_backward(z[k], g[k]);
  }
}

// sum += scale * row
template <typename T, int N>
__device__ __forceinline__ void
add_scaled(acc_t<T> (&sum)[N], const T* row, int64_t d, acc_t<T> scale) {
  acc_t<T> z[N];
  load(row + d, z);
#pragma unroll
  for (int k = 0; k < N; ++k) {
    sum[k] += scale * z[k];
  }
}

template <typename T, typename Index>
__device__ __forceinline__ Message<T> edge_message(
    const RoutedMessage<T, Index>& op,
    const Hop<T, Index>& hop,
    int64_t o,
    int64_t e) {
  return {
      op.x + op.row(o, hop.source[e]) * op.channels, op.term(hop, 0, o, e),
      op.term(hop, 1, o, e)};
}

template <typename T, typename Index>
__device__ __forceinline__ Message<T>
root_message(const RoutedMessage<T, Index>& op, int64_t o, int64_t i) {
  return {
      op.x + op.row(o, i) * op.channels, op.root + o * op.channels, nullptr};
}

template <typename T, typename Index>
__device__ __forceinline__ acc_t<T>
weight_of(const Hop<T, Index>& hop, int64_t e) {
  return hop.edge_weight == nullptr ? acc_t<T>(1) : hop.edge_weight[e];
}

// Where the gradients gather from: the slots of each node, and for each hop
// the edges of each source and the target of each edge.
struct Transposed {
  Group slot;
  Group edge[kMaxHops];
  const int64_t* target[kMaxHops];
};

// Experts first to last - 1.
struct ExpertRange {
  int64_t first, last;

  __device__ bool holds(int64_t expert) const {
    return expert >= first && expert < last;
  }
};

// Adds to the sum what edge e hands on from the gradients of its target's
// slots in the range. Returns whether there are any.
template <typename T, typename Index, int N>
__device__ __forceinline__ bool gather(
    acc_t<T> (&sum)[N],
    const RoutedMessage<T, Index>& op,
    const Transposed& by,
    const T* grad,
    int h,
    ExpertRange range,
    int64_t e,
    int64_t d) {
  const Hop<T, Index>& hop = op.hop[h];
  const int64_t i = by.target[h][e];
  const int64_t end = by.slot.ptr[i + 1];
  bool found = false;
  for (int64_t q = by.slot.ptr[i]; q < end; ++q) {
    const int64_t s = by.slot.position[q];
    const int64_t o = op.expert[s];
    if (range.holds(o)) {
      found = true;
      add_masked(
          sum, edge_message(op, hop, o, e), grad + s * op.channels, d,
          weight_of(hop, e));
    }
  }
  return found;
}

// The same for what node j's slots hand on to its own row.
template <typename T, typename Index, int N>
__device__ __forceinline__ bool gather_own(
    acc_t<T> (&sum)[N],
    const RoutedMessage<T, Index>& op,
    const Transposed& by,
    const T* grad,
    ExpertRange range,
    int64_t j,
    int64_t d) {
  if (op.root == nullptr && op.self_scale == nullptr) {
    return false;
  }
  const int64_t end = by.slot.ptr[j + 1];
  bool found = false;
  for (int64_t q = by.slot.ptr[j]; q < end; ++q) {
    const int64_t s = by.slot.position[q];
    const int64_t o = op.expert[s];
    if (!range.holds(o)) {
      continue;
    }
    found = true;
    const T* from = grad + s * op.channels;
    if (op.root != nullptr) {
      add_masked(
          sum, root_message(op, o, j), from, d, op.hop_of(o).root_weight[j]);
    }
    if (op.self_scale != nullptr) {
      add_scaled(sum, from, d, static_cast<acc_t<T>>(op.self_scale[o]));
    }
  }
  return found;
}

} // namespace gmoe::cuda

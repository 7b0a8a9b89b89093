// Messages on CUDA: a thread works on a pack of channels.
#pragma once

#include "../message_inputs.h"
#include "group.h"
#include "launch.h"

namespace gmoe::cuda {

// N channels of a row, in the type of the sums, and which of them a ReLU lets
// through.
template <typename A, int N>
struct Channels {
  A v[N];
};

template <int N>
struct Passed {
  bool v[N];
};

template <typename T, typename A, int N>
__device__ __forceinline__ void
load(const T* row, int64_t d, Channels<A, N>& to) {
  load(row + d, to.v);
}

template <typename T, typename A, int N>
__device__ __forceinline__ void
add(const T* row, int64_t d, Channels<A, N>& to) {
  add(row + d, to.v);
}

template <typename A, int N>
__device__ __forceinline__ Passed<N> active(const Channels<A, N>& z) {
  Passed<N> on;
#pragma unroll
  for (int k = 0; k < N; ++k) {
    on.v[k] = !(z.v[k] <= A(0)); // NaN too.
  }
  return on;
}

template <typename A, int N>
__device__ __forceinline__ void add_active(
    Channels<A, N>& sum, A scale, const Channels<A, N>& z,
    const Passed<N>& on) {
#pragma unroll
  for (int k = 0; k < N; ++k) {
    sum.v[k] = on.v[k] ? sum.v[k] + scale * z.v[k] : sum.v[k];
  }
}

template <typename A, int N>
__device__ __forceinline__ void
add_scaled(Channels<A, N>& sum, A scale, const Channels<A, N>& z) {
#pragma unroll
  for (int k = 0; k < N; ++k) {
    sum.v[k] += scale * z.v[k];
  }
}

#include "../message_body.h"

// sum += weight * grad where the message, which is made again, is positive
template <typename T, int N>
__device__ __forceinline__ void add_masked(
    Channels<acc_t<T>, N>& sum,
    const Message<T>& message,
    const T* grad,
    int64_t d) {
  Channels<acc_t<T>, N> z;
  load_message(message, d, z);
  add_grad(sum, grad, d, message.weight, active(z));
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
    Channels<acc_t<T>, N>& sum,
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
          sum, op.edge_message(hop, o, e), grad + s * op.channels, d);
    }
  }
  return found;
}

// The same for what node j's slots hand on to its own row.
template <typename T, typename Index, int N>
__device__ __forceinline__ bool gather_own(
    Channels<acc_t<T>, N>& sum,
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
      add_masked(sum, op.root_message(op.hop_of(o), o, j), from, d);
    }
    if (op.self_scale != nullptr) {
      add_own(sum, from, d, static_cast<acc_t<T>>(op.self_scale[o]));
    }
  }
  return found;
}

} // namespace gmoe::cuda

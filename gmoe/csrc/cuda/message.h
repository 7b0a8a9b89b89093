// Messages on CUDA: a thread works on a pack of channels.
#pragma once

#include "../message_inputs.h"
#include "group.h"
#include "launch.h"

namespace gmoe::cuda {

// Which of N channels a ReLU lets through.
template <int N>
struct Passed {
  bool v[N];
};

template <typename A, int N>
__device__ __forceinline__ Passed<N> active(const A (&z)[N]) {
  Passed<N> on;
#pragma unroll
  for (int k = 0; k < N; ++k) {
    on.v[k] = !(z[k] <= A(0)); // NaN too.
  }
  return on;
}

template <typename A, int N>
__device__ __forceinline__ void add_active(
    A (&sum)[N], A scale, const A (&z)[N], const Passed<N>& on) {
#pragma unroll
  for (int k = 0; k < N; ++k) {
    sum[k] = on.v[k] ? sum[k] + scale * z[k] : sum[k];
  }
}

template <typename A, int N>
__device__ __forceinline__ void
add_scaled(A (&sum)[N], A scale, const A (&z)[N]) {
#pragma unroll
  for (int k = 0; k < N; ++k) {
    sum[k] += scale * z[k];
  }
}

#include "../message_body.h"

// sum += weight * grad where the message, which is made again, is positive
template <typename T, int N>
__device__ __forceinline__ void add_masked(
    acc_t<T> (&sum)[N],
    const Message<T>& message,
    const T* grad,
    int64_t d) {
  acc_t<T> z[N];
  load_message(message, d, z);
  add_grad(sum, grad, d, message.weight, active(z));
}

// Experts first to last - 1.
struct ExpertRange {
  int64_t first, last;
};

// Where the gradients gather from: the slots of each node, and for each hop
// the edges of each source and the target of each edge.
struct Transposed {
  Group slot;
  Group edge[kMaxHops];
  const int64_t* target[kMaxHops];

  // Calls f(slot, expert) for the slots of node i whose expert is in the
  // range. Returns whether there are any.
  template <typename Index, typename F>
  __device__ __forceinline__ bool each_slot(
      const Index* expert, ExpertRange range, int64_t i, const F& f) const {
    const int64_t end = slot.ptr[i + 1];
    bool found = false;
    for (int64_t q = slot.ptr[i]; q < end; ++q) {
      const int64_t s = slot.position[q], o = expert[s];
      if (o >= range.first && o < range.last) {
        found = true;
        f(s, o);
      }
    }
    return found;
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
  return by.each_slot(
      op.expert, range, by.target[h][e], [&](int64_t s, int64_t o) {
        add_masked(
            sum, op.edge_message(hop, o, e), grad + s * op.channels, d);
      });
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
  return by.each_slot(op.expert, range, j, [&](int64_t s, int64_t o) {
    const T* from = grad + s * op.channels;
    if (op.root != nullptr) {
      add_masked(sum, op.root_message(op.hop_of(o), o, j), from, d);
    }
    if (op.self_scale != nullptr) {
      add_own(sum, from, d, static_cast<acc_t<T>>(op.self_scale[o]));
    }
  });
}

} // namespace gmoe::cuda

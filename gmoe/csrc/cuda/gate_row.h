// A row of scores of the noisy top-k gate: the work of a row of threads within
// one warp, in registers.
#pragma once

#include <climits>

#include "../gate_inputs.h"
#include "../noisy_topk.h"
#include "launch.h"

namespace gmoe::cuda {

template <typename T>
struct Gate {
  Matrix<T> clean, raw, noise;
  int64_t num_rows;
  int num_experts, top_k;
  bool topk_first;

  explicit Gate(const GateInputs& in)
      : clean(in.clean),
        raw(in.raw),
        noise(in.noise),
        num_rows(in.num_rows()),
        num_experts(static_cast<int>(in.num_experts())),
        top_k(static_cast<int>(in.top_k)),
        topk_first(in.topk_first) {}

  __device__ bool is_noisy() const {
    return noise.data != nullptr;
  }
};

// The sum of one value per thread of a row, in each of them.
template <typename A>
__device__ __forceinline__ A row_sum(A value) {
  for (int step = static_cast<int>(blockDim.x) / 2; step > 0; step /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, step);
  }
  return value;
}

// A thread's share of a row: every blockDim.x-th expert. All threads of a warp
// must make the same calls.
template <typename T, int N>
struct GateRow {
  using A = acc_t<T>;
  using Key = decltype(sort_key(A()));

  const Gate<T>& gate;
  A clean[N], raw[N], noise[N], scale[N], logits[N];
  A probability[N]; // Of the softmax, which may be of the selected only.
  int rank[N];

  __device__ GateRow(const Gate<T>& gate, int64_t row) : gate(gate) {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const bool has = exists(i), noisy = has && gate.is_noisy();
      clean[i] = has ? gate.clean.at(row, expert(i)) : A(0);
      raw[i] = noisy ? gate.raw.at(row, expert(i)) : A(0);
      noise[i] = noisy ? gate.noise.at(row, expert(i)) : A(0);
      scale[i] = noise_scale(raw[i]);
      logits[i] = noisy ? clean[i] + noise[i] * scale[i] : clean[i];
    }
    find_ranks();
    find_probabilities();
  }

  __device__ int expert(int i) const {
    return static_cast<int>(threadIdx.x + i * blockDim.x);
  }
  __device__ bool exists(int i) const {
    return expert(i) < gate.num_experts;
  }
  __device__ bool is_selected(int i) const {
    return rank[i] < gate.top_k;
  }
  __device__ bool is_weighed(int i) const {
    return exists(i) && (!gate.topk_first || is_selected(i));
  }

  // The rank of an expert is the number of those before it: larger scores, and
  // equal ones of lower ids.
  __device__ void find_ranks() {
    Key key[N];
#pragma unroll
    for (int i = 0; i < N; ++i) {
      key[i] = sort_key(logits[i]);
      rank[i] = exists(i) ? 0 : INT_MAX;
    }
    const int lanes = static_cast<int>(blockDim.x);
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const int first = j * lanes;
      for (int p = first; p < min(first + lanes, gate.num_experts); ++p) {
        const Key other = __shfl_sync(kAllLanes, key[j], p - first, lanes);
#pragma unroll
        for (int i = 0; i < N; ++i) {
          rank[i] += exists(i) && other > key[i] - Key(p < expert(i));
        }
      }
    }
  }

  // The score of a rank, in each thread.
  __device__ A ranked(int at) const {
    A value = 0;
#pragma unroll
    for (int i = 0; i < N; ++i) {
      value = rank[i] == at ? logits[i] : value;
    }
    return row_sum(value);
  }

  __device__ void find_probabilities() {
    const A best = ranked(0);
    A sum = 0;
#pragma unroll
    for (int i = 0; i < N; ++i) {
      probability[i] =
          is_weighed(i) ? exp_nonpositive(logits[i] - best) : A(0);
      sum += probability[i];
    }
    sum = row_sum(sum);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      probability[i] /= sum;
    }
  }

  // Shazeer et al. 2017, eq. 8-9: see standardize_body on the CPU.
  __device__ void standardize(A (&z)[N]) const {
    const A last = ranked(gate.top_k - 1), next = ranked(gate.top_k);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      z[i] = (clean[i] - (is_selected(i) ? next : last)) / scale[i];
    }
  }

  // Adds to the gradient of the logits.
  __device__ void weigh_backward(const A (&grad)[N], A (&out)[N]) const {
    A sum = 0;
#pragma unroll
    for (int i = 0; i < N; ++i) {
      sum += is_selected(i) ? grad[i] * probability[i] : A(0);
    }
    sum = row_sum(sum);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const A own = is_selected(i) ? grad[i] - sum : -sum;
      out[i] += is_weighed(i) ? probability[i] * own : A(0);
    }
  }

  // From the gradient of the load to those of the clean scores and the scales;
  // adds to that of the logits.
  __device__ void pass_backward(
      const A (&grad)[N], A (&grad_clean)[N], A (&grad_scale)[N],
      A (&out)[N]) const {
    standardize(grad_scale);
    A last = 0, next = 0;
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const A z = grad_scale[i];
      const A score =
          exists(i) ? load_backward(grad[i], z, scale[i]) : A(0);
      grad_clean[i] = score;
      grad_scale[i] = -score * z;
      next += is_selected(i) ? score : A(0);
      last += is_selected(i) ? A(0) : score;
    }
    last = row_sum(last);
    next = row_sum(next);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      out[i] -= rank[i] == gate.top_k - 1 ? last : A(0);
      out[i] -= rank[i] == gate.top_k ? next : A(0);
    }
  }
};

} // namespace gmoe::cuda

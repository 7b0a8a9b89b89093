// The noisy top-k gate on CUDA.
#include <torch/csrc/stable/library.h>

#include "gate_row.h"

namespace gmoe::cuda {

namespace {

// Threads behind the last row work on it too, as the others of their warp
// need them, but write nothing.
template <typename T, int N>
__global__ void __launch_bounds__(kThreads)
    forward(const __grid_constant__ Gate<T> gate, GateResults<T> out) {
  const int64_t row = row_item(), n = gate.num_experts;
  const GateRow<T, N> scores(gate, min(row, gate.num_rows - 1));
  acc_t<T> z[N];
  if (out.load != nullptr) {
    scores.standardize(z);
  }
  if (row >= gate.num_rows) {
    return;
  }
#pragma unroll
  for (int i = 0; i < N; ++i) {
    if (!scores.exists(i)) {
      continue;
    }
    const int64_t at = row * n + scores.expert(i);
    if (scores.is_selected(i)) {
      const int64_t slot = row * gate.top_k + scores.rank[i];
      out.weight[slot] = static_cast<T>(scores.probability[i]);
      out.expert[slot] = scores.expert(i);
    }
    if (out.logits != nullptr) {
      out.logits[at] = static_cast<T>(scores.logits[i]);
    }
    if (out.load != nullptr) {
      out.load[at] = static_cast<T>(normal_cdf(z[i]));
    }
  }
}

template <typename T, int N>
__global__ void __launch_bounds__(kThreads) backward(
    const __grid_constant__ Gate<T> gate, GateIncoming<T> grad,
    T* grad_clean, T* grad_raw) {
  using A = acc_t<T>;
  const int64_t row = row_item();
  const int64_t from = min(row, gate.num_rows - 1);
  const GateRow<T, N> scores(gate, from);
  A incoming[N], logits[N], clean[N], scale[N];
  clear(logits);
  clear(clean);
  clear(scale);
  auto load = [&](const Matrix<T>& grad, A(&to)[N]) {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      to[i] = scores.exists(i) ? grad.at(from, scores.expert(i)) : A(0);
    }
  };
  if (grad.logits.data != nullptr) {
    load(grad.logits, logits);
  }
  if (grad.weight.data != nullptr) {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      incoming[i] =
          scores.is_selected(i) ? grad.weight.at(from, scores.rank[i]) : A(0);
    }
    scores.weigh_backward(incoming, logits);
  }
  if (grad.load.data != nullptr) {
    load(grad.load, incoming);
    scores.pass_backward(incoming, clean, scale, logits);
  }
  if (row >= gate.num_rows) {
    return;
  }
#pragma unroll
  for (int i = 0; i < N; ++i) {
    if (!scores.exists(i)) {
      continue;
    }
    const int64_t at = row * gate.num_experts + scores.expert(i);
    if (grad_raw == nullptr) {
      grad_clean[at] = static_cast<T>(logits[i]);
      continue;
    }
    grad_clean[at] = static_cast<T>(without_dust(clean[i] + logits[i]));
    grad_raw[at] = static_cast<T>(
        raw_backward(scale[i], logits[i], scores.noise[i], scores.raw[i]));
  }
}

// Calls f with the number of experts of a thread, where rows have `lanes`
// threads.
template <typename F>
void with_lanes(int64_t num_experts, F f) {
  int64_t lanes = 1;
  while (lanes < num_experts && lanes < kWarp) {
    lanes *= 2;
  }
  const int64_t each = (num_experts + lanes - 1) / lanes;
  if (each <= 1) {
    f(std::integral_constant<int, 1>(), lanes);
  } else if (each <= 2) {
    f(std::integral_constant<int, 2>(), lanes);
  } else if (each <= 4) {
    f(std::integral_constant<int, 4>(), lanes);
  } else {
    f(std::integral_constant<int, kMaxExperts / kWarp>(), lanes);
  }
}

struct OnCuda {
  using Guard = cuda::Guard;

  static constexpr int64_t kMaxExperts = cuda::kMaxExperts;

  template <typename T>
  static void forward(const GateInputs& in, const GateResults<T>& out) {
    with_lanes(in.num_experts(), [&](auto each, int64_t lanes) {
      launch(
          current_stream(in.clean), per_row(in.num_rows(), lanes),
          cuda::forward<T, decltype(each)::value>, Gate<T>(in), out);
    });
  }

  template <typename T>
  static void backward(
      const GateInputs& in, const GateIncoming<T>& grad, T* grad_clean,
      T* grad_raw) {
    with_lanes(in.num_experts(), [&](auto each, int64_t lanes) {
      launch(
          current_stream(in.clean), per_row(in.num_rows(), lanes),
          cuda::backward<T, decltype(each)::value>, Gate<T>(in), grad,
          grad_clean, grad_raw);
    });
  }
};

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CUDA, m) {
  m.impl("noisy_topk", TORCH_BOX(&noisy_topk<OnCuda>));
  m.impl("noisy_topk_backward", TORCH_BOX(&noisy_topk_backward<OnCuda>));
}

} // namespace gmoe::cuda

// Batch normalisation of the rows of one expert, forward and backward.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <torch/csrc/stable/ops.h>

#include "../norm.h"

namespace gmoe::cpu {

// Loops compiled for several instruction sets.
template <typename T>
struct NormLoops {
  using A = acc_t<T>;
  using Sums = void (*)(
      A* sum, A* sum_h, const T* h, const T* grad, A weight, const A* mean,
      const A* scale, const A* shift, int64_t channels);
  using Apply = void (*)(
      T* out, const T* h, const T* grad, A weight, const A* mean,
      const A* scale, const A* shift, const A* from_mean, const A* from_var,
      int64_t channels);

  void (*moments)(
      const T* h, int64_t rows, int64_t channels, A* mean,
      A* sum_of_squares);
  void (*add_affine)(
      A* out, const T* h, A weight, const A* scale, const A* shift,
      int64_t channels);
  A (*dot_affine)(
      const T* h, const T* grad, const A* scale, const A* shift,
      int64_t channels);
  void (*relu_affine)(
      T* out, const T* h, const A* scale, const A* shift, int64_t channels);
  Sums add_sums, add_sums_relu;
  Apply apply, apply_relu;
  void (*add_rows)(A* sum, const T* x, int64_t rows, int64_t channels);
};

template <typename T>
const NormLoops<T>& norm_loops();

// Rows are summed in chunks of this many, the chunks in their order: the same
// bits for every number of threads.
constexpr int64_t kChunk = 256;

template <typename F>
void for_each_chunk(int64_t rows, const F& f) {
  const int64_t chunks = (rows + kChunk - 1) / kChunk;
  torch::stable::parallel_for(0, chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      f(c, c * kChunk, std::min(rows, (c + 1) * kChunk));
    }
  });
}

// Mean and biased variance of each channel.
template <typename T>
void mean_and_variance(
    const T* h, int64_t rows, int64_t channels, acc_t<T>* mean,
    acc_t<T>* variance) {
  using A = acc_t<T>;
  const int64_t D = channels, chunks = (rows + kChunk - 1) / kChunk;
  std::vector<A> part(2 * chunks * D);
  for_each_chunk(rows, [&](int64_t c, int64_t begin, int64_t end) {
    A* at = part.data() + 2 * c * D;
    norm_loops<T>().moments(h + begin * D, end - begin, D, at, at + D);
  });
  std::vector<double> m(D, 0), s(D, 0);
  for (int64_t c = 0; c < chunks; ++c) {
    const A* at = part.data() + 2 * c * D;
    const double before = static_cast<double>(c * kChunk);
    const double size =
        static_cast<double>(std::min(kChunk, rows - c * kChunk));
    for (int64_t d = 0; d < D; ++d) {
      add_moments(before, size, at[d], at[D + d], m[d], s[d]);
    }
  }
  for (int64_t d = 0; d < D; ++d) {
    mean[d] = static_cast<A>(m[d]);
    variance[d] = static_cast<A>(s[d] / static_cast<double>(rows));
  }
}

// One expert's normalisation as h * scale + shift.
template <typename T>
struct Affine {
  using A = acc_t<T>;
  std::vector<A> mean, invstd, scale, shift;

  Affine(
      const A* mean_of, const A* variance, const T* gamma, const T* beta,
      int64_t channels, double eps)
      : mean(mean_of, mean_of + channels),
        invstd(channels),
        scale(channels),
        shift(channels) {
    for (int64_t d = 0; d < channels; ++d) {
      invstd[d] = inverse_deviation(variance[d], eps);
      scale[d] = static_cast<A>(gamma[d]) * invstd[d];
      shift[d] = static_cast<A>(beta[d]) - mean[d] * scale[d];
    }
  }
};

// The backward pass of one expert's rows. grad_of(r) is the gradient of the
// normalised row r and weight_of(r) its factor; with the ReLU, the factor
// is 1.
template <typename T, typename Grad, typename Weight>
struct NormBackward {
  using A = acc_t<T>;
  const Affine<T>& affine;
  const T* h;
  int64_t rows, channels;
  bool relu, batch_statistics;
  Grad grad_of;
  Weight weight_of;
  std::vector<A> sum, from_mean, from_var; // Of the channels.

  // Gradients of gamma and beta; prepares the rows'.
  void reduce(T* grad_gamma, T* grad_beta) {
    const int64_t D = channels, chunks = (rows + kChunk - 1) / kChunk;
    std::vector<A> part(2 * chunks * D, A(0));
    const auto loop = relu ? norm_loops<T>().add_sums_relu
                           : norm_loops<T>().add_sums;
    for_each_chunk(rows, [&](int64_t c, int64_t begin, int64_t end) {
      A* at = part.data() + 2 * c * D;
      for (int64_t r = begin; r < end; ++r) {
        loop(
            at, at + D, h + r * D, grad_of(r), weight_of(r),
            affine.mean.data(), affine.scale.data(), affine.shift.data(), D);
      }
    });
    std::vector<double> total(2 * D, 0);
    for (int64_t c = 0; c < chunks; ++c) {
      for (int64_t d = 0; d < 2 * D; ++d) {
        total[d] += part[2 * c * D + d];
      }
    }
    for (auto* values : {&sum, &from_mean, &from_var}) {
      values->resize(D);
    }
    for (int64_t d = 0; d < D; ++d) {
      const NormGradient<A> grad(
          total[d], total[D + d], affine.invstd[d], affine.scale[d], rows,
          batch_statistics);
      sum[d] = grad.beta;
      grad_beta[d] = static_cast<T>(grad.beta);
      grad_gamma[d] = static_cast<T>(grad.gamma);
      from_mean[d] = grad.from_mean;
      from_var[d] = grad.from_var;
    }
  }

  // Gradients of the rows; out may be where the gradients come from.
  void apply(T* out) const {
    const int64_t D = channels;
    const auto loop =
        relu ? norm_loops<T>().apply_relu : norm_loops<T>().apply;
    for_each_chunk(rows, [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        loop(
            out + r * D, h + r * D, grad_of(r), weight_of(r),
            affine.mean.data(), affine.scale.data(), affine.shift.data(),
            batch_statistics ? from_mean.data() : nullptr, from_var.data(),
            D);
      }
    });
  }
};

template <typename T, typename Grad, typename Weight>
NormBackward(
    const Affine<T>&, const T*, int64_t, int64_t, bool, bool, Grad, Weight)
    -> NormBackward<T, Grad, Weight>;

} // namespace gmoe::cpu

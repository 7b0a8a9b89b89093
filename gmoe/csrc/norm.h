// The arithmetic of the batch normalisation of one channel, for all launchers.
#pragma once

#include <cmath>

#include "vector.h"

namespace gmoe {

// Adds the mean of so many rows, and the sum of their squared distances from
// it, to those of the rows before them (Chan et al. 1979).
GMOE_HOST_DEVICE void add_moments(
    double before, double rows, double mean, double squares,
    double& total_mean, double& total_squares) {
  const double delta = mean - total_mean;
  total_mean += delta * rows / (before + rows);
  total_squares += squares + delta * delta * before * rows / (before + rows);
}

template <typename A>
GMOE_HOST_DEVICE A inverse_deviation(A variance, double eps) {
  return static_cast<A>(1 / sqrt(variance + eps));
}

template <typename A>
GMOE_HOST_DEVICE A normalized(A x, A scale, A shift) {
  return x * scale + shift;
}

// The gradients that arrive at normalised rows, one for each row.
template <typename T>
struct RowGradients {
  const T* grad;
  bool relu; // Whether they come from behind a ReLU.

  GMOE_HOST_DEVICE const T* row(int64_t r, int64_t channels) const {
    return grad + r * channels;
  }
  GMOE_HOST_DEVICE acc_t<T> factor(int64_t) const {
    return acc_t<T>(1);
  }
};

// Row r has the gradient of its node, times its weight.
template <typename T, typename Index>
struct NodeGradients {
  static constexpr bool relu = false;

  const T* grad;
  const Index* node;
  const acc_t<T>* weight;

  GMOE_HOST_DEVICE const T* row(int64_t r, int64_t channels) const {
    return grad + node[r] * channels;
  }
  GMOE_HOST_DEVICE acc_t<T> factor(int64_t r) const {
    return weight[r];
  }
};

// From the sums of an expert's incoming gradients, and of them times their
// row's distance from the mean: the gradients of its parameters, and what its
// statistics take from the gradients of its rows.
template <typename A>
struct NormGradient {
  A gamma, beta, from_mean, from_var;

  GMOE_HOST_DEVICE NormGradient(
      double sum, double sum_h, double invstd, double scale, int64_t rows,
      bool own_statistics)
      : gamma(static_cast<A>(sum_h * invstd)),
        beta(static_cast<A>(sum)),
        from_mean(own_statistics ? static_cast<A>(scale * sum / rows) : A(0)),
        from_var(
            own_statistics
                ? static_cast<A>(scale * sum_h * invstd * invstd / rows)
                : A(0)) {}
};

// The gradient of a row with statistics of its own: x is its distance from the
// mean. Else it is scale * grad, as 0 times a row need not be 0.
template <typename A>
GMOE_HOST_DEVICE A
norm_backward(A grad, A x, A scale, A from_mean, A from_var) {
  return scale * grad - from_mean - x * from_var;
}

} // namespace gmoe

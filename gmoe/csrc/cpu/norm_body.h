// The body of norm.cpp, included once for each instruction set, inside a
// namespace of that name. Loops over channels, for the compiler to vectorise.

template <typename T>
void moments(
    const T* __restrict h, int64_t rows, int64_t channels,
    acc_t<T>* __restrict mean, acc_t<T>* __restrict sum_of_squares) {
  using A = acc_t<T>;
  for (int64_t d = 0; d < channels; ++d) {
    mean[d] = sum_of_squares[d] = A(0);
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t d = 0; d < channels; ++d) {
      mean[d] += static_cast<A>(h[r * channels + d]);
    }
  }
  for (int64_t d = 0; d < channels; ++d) {
    mean[d] /= static_cast<A>(rows);
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t d = 0; d < channels; ++d) {
      const A x = static_cast<A>(h[r * channels + d]) - mean[d];
      sum_of_squares[d] += x * x;
    }
  }
}

template <typename T>
void add_affine(
    acc_t<T>* __restrict out, const T* __restrict h, acc_t<T> weight,
    const acc_t<T>* __restrict scale, const acc_t<T>* __restrict shift,
    int64_t channels) {
  using A = acc_t<T>;
  for (int64_t d = 0; d < channels; ++d) {
    out[d] += weight * normalized(static_cast<A>(h[d]), scale[d], shift[d]);
  }
}

// The scalar product of a gradient and the normalised row, in lanes that do
// not wait for one another.
template <typename T>
acc_t<T> dot_affine(
    const T* __restrict h, const T* __restrict grad,
    const acc_t<T>* __restrict scale, const acc_t<T>* __restrict shift,
    int64_t channels) {
  using A = acc_t<T>;
  constexpr int64_t kLanes = 32;
  A lanes[kLanes] = {};
  auto add = [&](int64_t lane, int64_t d) {
    const A y = normalized(static_cast<A>(h[d]), scale[d], shift[d]);
    lanes[lane] += y * static_cast<A>(grad[d]);
  };
  int64_t d = 0;
  for (; d + kLanes <= channels; d += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      add(lane, d + lane);
    }
  }
  for (int64_t lane = 0; d + lane < channels; ++lane) {
    add(lane, d + lane);
  }
  A total = 0;
  for (const A lane : lanes) {
    total += lane;
  }
  return total;
}

template <typename T>
void relu_affine(
    T* __restrict out, const T* __restrict h,
    const acc_t<T>* __restrict scale, const acc_t<T>* __restrict shift,
    int64_t channels) {
  using A = acc_t<T>;
  for (int64_t d = 0; d < channels; ++d) {
    const A y = normalized(static_cast<A>(h[d]), scale[d], shift[d]);
    out[d] = static_cast<T>(relu(y));
  }
}

// A gradient of the normalised row: weight * grad, or grad where the ReLU let
// the row through.
template <bool kRelu, typename T>
inline acc_t<T> incoming(
    const T* h, const T* grad, acc_t<T> weight, const acc_t<T>* scale,
    const acc_t<T>* shift, int64_t d) {
  using A = acc_t<T>;
  const A g = static_cast<A>(grad[d]);
  if constexpr (kRelu) {
    const A y = normalized(static_cast<A>(h[d]), scale[d], shift[d]);
    return relu_backward(y, g);
  } else {
    return weight * g;
  }
}

template <bool kRelu, typename T>
void add_sums(
    acc_t<T>* __restrict sum, acc_t<T>* __restrict sum_h,
    const T* __restrict h, const T* __restrict grad, acc_t<T> weight,
    const acc_t<T>* __restrict mean, const acc_t<T>* __restrict scale,
    const acc_t<T>* __restrict shift, int64_t channels) {
  using A = acc_t<T>;
  for (int64_t d = 0; d < channels; ++d) {
    const A dy = incoming<kRelu>(h, grad, weight, scale, shift, d);
    sum[d] += dy;
    sum_h[d] += dy * (static_cast<A>(h[d]) - mean[d]);
  }
}

template <bool kRelu, typename T>
void apply(
    T* out, const T* __restrict h, const T* grad, acc_t<T> weight,
    const acc_t<T>* __restrict mean, const acc_t<T>* __restrict scale,
    const acc_t<T>* __restrict shift, const acc_t<T>* __restrict from_mean,
    const acc_t<T>* __restrict from_var, int64_t channels) {
  using A = acc_t<T>;
  if (from_mean == nullptr) { // The statistics are constants.
#pragma GCC ivdep
    for (int64_t d = 0; d < channels; ++d) {
      const A dy = incoming<kRelu>(h, grad, weight, scale, shift, d);
      out[d] = static_cast<T>(scale[d] * dy);
    }
    return;
  }
#pragma GCC ivdep
  for (int64_t d = 0; d < channels; ++d) {
    const A dy = incoming<kRelu>(h, grad, weight, scale, shift, d);
    const A x = static_cast<A>(h[d]) - mean[d];
    out[d] = static_cast<T>(
        norm_backward(dy, x, scale[d], from_mean[d], from_var[d]));
  }
}

template <typename T>
void add_rows(
    acc_t<T>* __restrict sum, const T* __restrict x, int64_t rows,
    int64_t channels) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t d = 0; d < channels; ++d) {
      sum[d] += static_cast<acc_t<T>>(x[r * channels + d]);
    }
  }
}

template <typename T>
NormLoops<T> kernels() {
  return {&moments<T>,         &add_affine<T>,     &dot_affine<T>,
          &relu_affine<T>,     &add_sums<false, T>, &add_sums<true, T>,
          &apply<false, T>,    &apply<true, T>,     &add_rows<T>};
}

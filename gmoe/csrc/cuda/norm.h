// The kernels of the batch normalisation of the rows of each expert. Sums are
// made in chunks, and the chunks added in their order.
#pragma once

#include "../norm.h"
#include "group.h"
#include "segments.h"

namespace gmoe::cuda {

// Rows ordered by expert: those of expert o are ptr[o] to ptr[o + 1].
struct ExpertRows {
  const int64_t* ptr;
  int64_t num_experts, num_rows, channels;

  __device__ int64_t expert_of(int64_t row) const {
    return lower_bound(ptr, num_experts + 1, row + 1) - 1;
  }

  __device__ bool has_statistics(int64_t o) const {
    return ptr[o + 1] - ptr[o] > 1; // One row has no variance.
  }
};

// Of each expert: the normalisation as h * scale + shift.
template <typename A>
struct Affine {
  const A* mean;
  const A* scale;
  const A* shift;

  // Normalises the channels x, which lie at `at` in the expert's rows.
  template <int N>
  __device__ __forceinline__ void apply(int64_t at, A (&x)[N]) const {
    A of_scale[N], of_shift[N];
    load(scale + at, of_scale);
    load(shift + at, of_shift);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      x[k] = normalized(x[k], of_scale[k], of_shift[k]);
    }
  }
};

// Calls f(o, d, begin, end, part) with each expert that has rows in the chunk
// of this row of threads, the channels of this thread, the expert's rows
// there, and the place of their sums.
template <int N, typename F>
__device__ __forceinline__ void for_each_run(
    const ExpertRows& rows, const Chunks& chunks, F f) {
  const int64_t chunk = row_item(), D = rows.channels;
  if (chunk >= chunks.count) {
    return;
  }
  for (int64_t d = threadIdx.x * N; d < D; d += blockDim.x * N) {
    int64_t first = chunks.begin(chunk);
    const int64_t end = min(chunks.end(chunk), rows.ptr[rows.num_experts]);
    for (int64_t o = rows.expert_of(first); first < end; ++o) {
      const int64_t last = min(end, rows.ptr[o + 1]);
      if (first < last) {
        f(o, d, first, last, (chunk + o) * D + d);
        first = last;
      }
    }
  }
}

// Calls f(chunk, part) with the chunks of the rows of an expert, in their
// order, and the place of its sums of channel d.
template <typename F>
__device__ __forceinline__ void for_each_part(
    const ExpertRows& rows, const Chunks& chunks, int64_t o, int64_t d, F f) {
  const int64_t begin = rows.ptr[o], end = rows.ptr[o + 1];
  for (int64_t chunk = begin / chunks.size;
       begin < end && chunk <= (end - 1) / chunks.size; ++chunk) {
    f(chunk, (chunk + o) * rows.channels + d);
  }
}

// Mean, and sum of squared distances from it: a row of threads per chunk.
template <typename T, int N>
__global__ void __launch_bounds__(kThreads) moment_parts(
    ExpertRows rows, Chunks chunks, const T* h, acc_t<T>* mean,
    acc_t<T>* squares) {
  using A = acc_t<T>;
  const int64_t D = rows.channels;
  for_each_run<N>(
      rows, chunks,
      [&](int64_t, int64_t d, int64_t begin, int64_t end, int64_t part) {
        A centre[N], sum[N];
        clear(centre);
        clear(sum);
        for (int64_t r = begin; r < end; ++r) {
          add(h + r * D + d, centre);
        }
#pragma unroll
        for (int k = 0; k < N; ++k) {
          centre[k] /= static_cast<A>(end - begin);
        }
        for (int64_t r = begin; r < end; ++r) {
          A x[N];
          load(h + r * D + d, x);
#pragma unroll
          for (int k = 0; k < N; ++k) {
            sum[k] += (x[k] - centre[k]) * (x[k] - centre[k]);
          }
        }
        store(mean + part, centre);
        store(squares + part, sum);
      });
}

// Merges the chunks of each expert where it has statistics of its own: a thread
// per channel. mean and var hold the running ones.
template <typename A>
__global__ void __launch_bounds__(kThreads) merge_moments(
    ExpertRows rows, Chunks chunks, const A* part_mean, const A* part_squares,
    A* mean, A* var) {
  const int64_t item = thread_item(), D = rows.channels;
  const int64_t o = item / D, d = item % D;
  if (o >= rows.num_experts || !rows.has_statistics(o)) {
    return;
  }
  const int64_t begin = rows.ptr[o], end = rows.ptr[o + 1];
  double m = 0, s = 0, before = 0;
  for_each_part(rows, chunks, o, d, [&](int64_t chunk, int64_t part) {
    const double size = static_cast<double>(
        min(end, chunks.end(chunk)) - max(begin, chunks.begin(chunk)));
    add_moments(before, size, part_mean[part], part_squares[part], m, s);
    before += size;
  });
  mean[item] = static_cast<A>(m);
  var[item] = static_cast<A>(s / before);
}

// A thread per channel of each expert.
template <typename T>
__global__ void __launch_bounds__(kThreads) make_affine(
    int64_t size, const acc_t<T>* mean, const acc_t<T>* var, const T* gamma,
    const T* beta, double eps, acc_t<T>* scale, acc_t<T>* shift) {
  using A = acc_t<T>;
  const int64_t k = thread_item();
  if (k < size) {
    scale[k] = static_cast<A>(gamma[k]) * inverse_deviation(var[k], eps);
    shift[k] = static_cast<A>(beta[k]) - mean[k] * scale[k];
  }
}

// Row r of h less its mean, and the gradient of the normalised row.
template <int N, typename T, typename Incoming>
__device__ __forceinline__ void load_gradient(
    const ExpertRows& rows,
    const Affine<acc_t<T>>& affine,
    const Incoming& incoming,
    const T* h,
    int64_t o,
    int64_t r,
    int64_t d,
    acc_t<T> (&x)[N],
    acc_t<T> (&dy)[N]) {
  using A = acc_t<T>;
  const int64_t D = rows.channels;
  A mean[N], y[N];
  load(h + r * D + d, x);
  load(incoming.row(r, D) + d, dy);
  load(affine.mean + o * D + d, mean);
  if (incoming.relu) {
    load(h + r * D + d, y);
    affine.apply(o * D + d, y);
  }
  const A factor = incoming.factor(r);
#pragma unroll
  for (int k = 0; k < N; ++k) {
    dy[k] = incoming.relu ? relu_backward(y[k], dy[k]) : factor * dy[k];
    x[k] -= mean[k];
  }
}

// Sums of dy and of dy * (h - mean): a row of threads per chunk.
template <typename T, typename Incoming, int N>
__global__ void __launch_bounds__(kThreads) gradient_parts(
    ExpertRows rows, Chunks chunks, Affine<acc_t<T>> affine,
    Incoming incoming, const T* h, acc_t<T>* sum, acc_t<T>* sum_h) {
  using A = acc_t<T>;
  for_each_run<N>(
      rows, chunks,
      [&](int64_t o, int64_t d, int64_t begin, int64_t end, int64_t part) {
        A total[N], total_h[N];
        clear(total);
        clear(total_h);
        for (int64_t r = begin; r < end; ++r) {
          A x[N], dy[N];
          load_gradient(rows, affine, incoming, h, o, r, d, x, dy);
#pragma unroll
          for (int k = 0; k < N; ++k) {
            total[k] += dy[k];
            total_h[k] += dy[k] * x[k];
          }
        }
        store(sum + part, total);
        store(sum_h + part, total_h);
      });
}

// The gradients of gamma and beta, and what those of the rows need: a thread
// per channel of each expert.
template <typename T>
__global__ void __launch_bounds__(kThreads) merge_gradients(
    ExpertRows rows, Chunks chunks, const acc_t<T>* part,
    const acc_t<T>* part_h, const acc_t<T>* var, const acc_t<T>* scale,
    bool training, double eps, T* grad_gamma, T* grad_beta,
    acc_t<T>* from_mean, acc_t<T>* from_var) {
  using A = acc_t<T>;
  const int64_t item = thread_item(), D = rows.channels;
  const int64_t o = item / D, d = item % D;
  if (o >= rows.num_experts) {
    return;
  }
  double sum = 0, sum_h = 0;
  for_each_part(rows, chunks, o, d, [&](int64_t, int64_t at) {
    sum += part[at];
    sum_h += part_h[at];
  });
  const NormGradient<A> grad(
      sum, sum_h, inverse_deviation(var[item], eps), scale[item],
      rows.ptr[o + 1] - rows.ptr[o], training && rows.has_statistics(o));
  grad_gamma[item] = static_cast<T>(grad.gamma);
  grad_beta[item] = static_cast<T>(grad.beta);
  from_mean[item] = grad.from_mean;
  from_var[item] = grad.from_var;
}

// The gradients of the rows: a row of threads per row.
template <typename T, typename Incoming, int N>
__global__ void __launch_bounds__(kThreads) gradient_rows(
    ExpertRows rows, Affine<acc_t<T>> affine, Incoming incoming,
    const T* h, bool training, const acc_t<T>* from_mean,
    const acc_t<T>* from_var, T* out) {
  using A = acc_t<T>;
  const int64_t r = row_item();
  if (r >= rows.num_rows) {
    return;
  }
  const int64_t D = rows.channels, o = rows.expert_of(r);
  const bool own = training && rows.has_statistics(o);
  for (int64_t d = threadIdx.x * N; d < D; d += blockDim.x * N) {
    A x[N], dy[N], scale[N], of_mean[N], of_var[N];
    load_gradient(rows, affine, incoming, h, o, r, d, x, dy);
    load(affine.scale + o * D + d, scale);
    load(from_mean + o * D + d, of_mean);
    load(from_var + o * D + d, of_var);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      dy[k] = own
          ? norm_backward(dy[k], x[k], scale[k], of_mean[k], of_var[k])
          : scale[k] * dy[k];
    }
    store(out + r * D + d, dy);
  }
}

} // namespace gmoe::cuda

// Batch normalisation of the rows of each expert on CUDA, forward and
// backward. Sums are made in chunks, and the chunks added in their order.
#pragma once

#include <torch/csrc/stable/ops.h>

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
};

// Calls f with each expert that has rows in a chunk, and with its rows there.
template <typename F>
__device__ __forceinline__ void for_each_run(
    const ExpertRows& rows, const Chunks& chunks, int64_t chunk, F f) {
  int64_t first = chunks.begin(chunk);
  const int64_t end = min(chunks.end(chunk), rows.ptr[rows.num_experts]);
  for (int64_t o = rows.expert_of(first); first < end; ++o) {
    const int64_t last = min(end, rows.ptr[o + 1]);
    if (first < last) {
      f(o, first, last);
      first = last;
    }
  }
}

// Mean, and sum of squared distances from it: a row of threads per chunk.
template <typename T, int N>
__global__ void __launch_bounds__(kThreads) moment_parts(
    ExpertRows rows,
    Chunks chunks,
    const T* h,
    acc_t<T>* mean,
    acc_t<T>* squares) {
  using A = acc_t<T>;
  const int64_t chunk = row_item();
  if (chunk >= chunks.count) {
    return;
  }
  const int64_t D = rows.channels;
  for (int64_t d = threadIdx.x * N; d < D; d += blockDim.x * N) {
    for_each_run(rows, chunks, chunk, [&](int64_t o, int64_t b, int64_t e) {
      A centre[N], sum[N];
      clear(centre);
      clear(sum);
      for (int64_t r = b; r < e; ++r) {
        add(h + r * D + d, centre);
      }
#pragma unroll
      for (int k = 0; k < N; ++k) {
        centre[k] /= static_cast<A>(e - b);
      }
      for (int64_t r = b; r < e; ++r) {
        A x[N];
        load(h + r * D + d, x);
#pragma unroll
        for (int k = 0; k < N; ++k) {
          sum[k] += (x[k] - centre[k]) * (x[k] - centre[k]);
        }
      }
      store(mean + (chunk + o) * D + d, centre);
      store(squares + (chunk + o) * D + d, sum);
    });
  }
}

// Merges the chunks of each expert (Chan et al. 1979) where it has statistics
// of its own: a thread per channel. mean and var hold the running ones.
template <typename A>
__global__ void __launch_bounds__(kThreads) merge_moments(
    ExpertRows rows,
    Chunks chunks,
    const A* part_mean,
    const A* part_squares,
    A* mean,
    A* var) {
  const int64_t item = thread_item(), D = rows.channels;
  const int64_t o = item / D, d = item % D;
  if (o >= rows.num_experts || !rows.has_statistics(o)) {
    return;
  }
  const int64_t begin = rows.ptr[o], end = rows.ptr[o + 1];
  double m = 0, s = 0, before = 0;
  const int64_t last = (end - 1) / chunks.size;
  for (int64_t chunk = begin / chunks.size; chunk <= last; ++chunk) {
    const double size = static_cast<double>(
        min(end, chunks.end(chunk)) - max(begin, chunks.begin(chunk)));
    const int64_t at = (chunk + o) * D + d;
    const double delta = part_mean[at] - m;
    const double share = size / (before + size);
    m += delta * share;
    s += part_squares[at] + delta * delta * before * share;
    before += size;
  }
  mean[item] = static_cast<A>(m);
  var[item] = static_cast<A>(s / before);
}

// A thread per channel of each expert.
template <typename T>
__global__ void __launch_bounds__(kThreads) make_affine(
    int64_t size,
    const acc_t<T>* mean,
    const acc_t<T>* var,
    const T* gamma,
    const T* beta,
    double eps,
    acc_t<T>* scale,
    acc_t<T>* shift) {
  using A = acc_t<T>;
  const int64_t k = thread_item();
  if (k < size) {
    const A invstd = A(1) / sqrt(var[k] + static_cast<A>(eps));
    scale[k] = static_cast<A>(gamma[k]) * invstd;
    shift[k] = static_cast<A>(beta[k]) - mean[k] * scale[k];
  }
}

// The gradients that arrive: row r of grad, or row node[r] with the factor
// weight[r], and where the ReLU, if there is one, let the row through.
template <typename T, typename Index>
struct Incoming {
  const T* grad;
  const Index* node;
  const acc_t<T>* weight;
  bool relu;

  __device__ const T* row(int64_t r, int64_t channels) const {
    return grad + (node == nullptr ? r : node[r]) * channels;
  }

  // Row r of h less its mean, and the gradient of the normalised row.
  template <int N>
  __device__ __forceinline__ void load(
      const ExpertRows& rows,
      const Affine<acc_t<T>>& affine,
      const T* h,
      int64_t o,
      int64_t r,
      int64_t d,
      acc_t<T> (&x)[N],
      acc_t<T> (&dy)[N]) const {
    using A = acc_t<T>;
    const int64_t D = rows.channels;
    A mean[N];
    cuda::load(h + r * D + d, x);
    cuda::load(row(r, D) + d, dy);
    cuda::load(affine.mean + o * D + d, mean);
    if (relu) {
      A scale[N], shift[N];
      cuda::load(affine.scale + o * D + d, scale);
      cuda::load(affine.shift + o * D + d, shift);
#pragma unroll
      for (int k = 0; k < N; ++k) {
        dy[k] = relu_backward(x[k] * scale[k] + shift[k], dy[k]);
      }
    }
    const A factor = weight == nullptr ? A(1) : weight[r];
#pragma unroll
    for (int k = 0; k < N; ++k) {
      dy[k] *= factor;
      x[k] -= mean[k];
    }
  }
};

// Sums of dy and of dy * (h - mean): a row of threads per chunk.
template <typename T, typename Index, int N>
__global__ void __launch_bounds__(kThreads) gradient_parts(
    ExpertRows rows,
    Chunks chunks,
    Affine<acc_t<T>> affine,
    Incoming<T, Index> incoming,
    const T* h,
    acc_t<T>* sum,
    acc_t<T>* sum_h) {
  using A = acc_t<T>;
  const int64_t chunk = row_item();
  if (chunk >= chunks.count) {
    return;
  }
  const int64_t D = rows.channels;
  for (int64_t d = threadIdx.x * N; d < D; d += blockDim.x * N) {
    for_each_run(rows, chunks, chunk, [&](int64_t o, int64_t b, int64_t e) {
      A total[N], total_h[N];
      clear(total);
      clear(total_h);
      for (int64_t r = b; r < e; ++r) {
        A x[N], dy[N];
        incoming.load(rows, affine, h, o, r, d, x, dy);
#pragma unroll
        for (int k = 0; k < N; ++k) {
          total[k] += dy[k];
          total_h[k] += dy[k] * x[k];
        }
      }
      store(sum + (chunk + o) * D + d, total);
      store(sum_h + (chunk + o) * D + d, total_h);
    });
  }
}

// The gradients of gamma and beta, and what those of the rows need: a thread
// per channel of each expert.
template <typename T>
__global__ void __launch_bounds__(kThreads) merge_gradients(
    ExpertRows rows,
    Chunks chunks,
    const acc_t<T>* part,
    const acc_t<T>* part_h,
    const acc_t<T>* var,
    const acc_t<T>* scale,
    bool training,
    double eps,
    T* grad_gamma,
    T* grad_beta,
    acc_t<T>* from_mean,
    acc_t<T>* from_var) {
  using A = acc_t<T>;
  const int64_t item = thread_item(), D = rows.channels;
  const int64_t o = item / D, d = item % D;
  if (o >= rows.num_experts) {
    return;
  }
  const int64_t begin = rows.ptr[o], end = rows.ptr[o + 1];
  double sum = 0, sum_h = 0;
  if (begin < end) {
    const int64_t last = (end - 1) / chunks.size;
    for (int64_t chunk = begin / chunks.size; chunk <= last; ++chunk) {
      sum += part[(chunk + o) * D + d];
      sum_h += part_h[(chunk + o) * D + d];
    }
  }
  const double invstd = 1 / sqrt(static_cast<double>(var[item]) + eps);
  grad_beta[item] = static_cast<T>(static_cast<A>(sum));
  grad_gamma[item] = static_cast<T>(static_cast<A>(sum_h * invstd));
  const bool own = training && rows.has_statistics(o);
  const double share = own ? scale[item] / static_cast<double>(end - begin) : 0;
  from_mean[item] = static_cast<A>(share * sum);
  from_var[item] = static_cast<A>(share * sum_h * invstd * invstd);
}

// The gradients of the rows: a row of threads per row.
template <typename T, typename Index, int N>
__global__ void __launch_bounds__(kThreads) gradient_rows(
    ExpertRows rows,
    Affine<acc_t<T>> affine,
    Incoming<T, Index> incoming,
    const T* h,
    bool training,
    const acc_t<T>* from_mean,
    const acc_t<T>* from_var,
    T* out) {
  using A = acc_t<T>;
  const int64_t r = row_item();
  if (r >= rows.num_rows) {
    return;
  }
  const int64_t D = rows.channels, o = rows.expert_of(r);
  const bool own = training && rows.has_statistics(o);
  for (int64_t d = threadIdx.x * N; d < D; d += blockDim.x * N) {
    A x[N], dy[N], scale[N], of_mean[N], of_var[N];
    incoming.load(rows, affine, h, o, r, d, x, dy);
    load(affine.scale + o * D + d, scale);
    load(from_mean + o * D + d, of_mean);
    load(from_var + o * D + d, of_var);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      dy[k] *= scale[k];
      // With constant statistics, rows that are not finite have a gradient.
      dy[k] -= own ? of_mean[k] + x[k] * of_var[k] : A(0);
    }
    store(out + r * D + d, dy);
  }
}

} // namespace gmoe::cuda

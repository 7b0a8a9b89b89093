// Batch normalisation of routed rows on CUDA, and their weighted sum at each
// node.
#include "../expert_norm.h"

#include <torch/csrc/stable/library.h>

#include "norm.h"

namespace gmoe::cuda {

namespace {

// A row of threads per row.
template <typename T, int N>
__global__ void __launch_bounds__(kThreads) normalize(
    ExpertRows rows, Affine<acc_t<T>> affine, const T* h, bool relu, T* out) {
  const int64_t r = row_item();
  if (r >= rows.num_rows) {
    return;
  }
  const int64_t D = rows.channels, o = rows.expert_of(r);
  for (int64_t d = threadIdx.x * N; d < D; d += blockDim.x * N) {
    acc_t<T> x[N];
    load(h + r * D + d, x);
    affine.apply(o * D + d, x);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      x[k] = relu ? gmoe::relu(x[k]) : x[k];
    }
    store(out + r * D + d, x);
  }
}

// The weighted sum of the normalised rows of each node, which are never
// written: a row of threads per node.
template <typename T, typename Index, int N>
__global__ void __launch_bounds__(kThreads) combine(
    ExpertRows rows, Affine<acc_t<T>> affine, Group slot, const T* h,
    const Index* expert, const acc_t<T>* weight, int64_t num_nodes, T* out) {
  const int64_t i = row_item();
  if (i >= num_nodes) {
    return;
  }
  const int64_t D = rows.channels;
  for (int64_t d = threadIdx.x * N; d < D; d += blockDim.x * N) {
    acc_t<T> sum[N];
    clear(sum);
    for (int64_t q = slot.ptr[i]; q < slot.ptr[i + 1]; ++q) {
      const int64_t s = slot.position[q];
      acc_t<T> x[N];
      load(h + s * D + d, x);
      affine.apply(expert[s] * D + d, x);
#pragma unroll
      for (int k = 0; k < N; ++k) {
        sum[k] += weight[s] * x[k];
      }
    }
    store(out + i * D + d, sum);
  }
}

// The gradient of each row's weight: a warp per row.
template <typename T, typename Incoming, int N>
__global__ void __launch_bounds__(kThreads) grad_weight(
    ExpertRows rows, Affine<acc_t<T>> affine, Incoming incoming,
    const T* h, acc_t<T>* out) {
  const int64_t r = row_item(), D = rows.channels;
  if (r >= rows.num_rows) {
    return;
  }
  const int64_t o = rows.expert_of(r);
  const T* grad = incoming.row(r, D);
  acc_t<T> sum = 0;
  for (int64_t d = threadIdx.x * N; d < D; d += kWarp * N) {
    acc_t<T> x[N], g[N];
    load(h + r * D + d, x);
    load(grad + d, g);
    affine.apply(o * D + d, x);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      sum += x[k] * g[k];
    }
  }
  sum = warp_sum(sum);
  if (threadIdx.x == 0) {
    out[r] = sum;
  }
}

template <typename T>
class ExpertNorm {
 public:
  using A = acc_t<T>;

  ExpertNorm(const NormInputs& in, const Tensor& ptr, bool measure)
      : in_(in),
        ptr_(ptr),
        stream_(current_stream(in.h)),
        rows_{
            ptr.const_data_ptr<int64_t>(), in.num_experts(), in.num_rows(),
            in.channels()},
        chunks_(in.num_rows()),
        scale_(torch::stable::empty_like(in.mean)),
        shift_(torch::stable::empty_like(in.mean)) {
    if (measure) {
      measure_rows();
    }
    launch(
        stream_, per_item(size()), make_affine<T>, size(),
        in.mean.const_data_ptr<A>(), in.var.const_data_ptr<A>(),
        in.gamma.const_data_ptr<T>(), in.beta.const_data_ptr<T>(), in.eps,
        scale_.mutable_data_ptr<A>(), shift_.mutable_data_ptr<A>());
  }

  void apply(bool relu, T* out) const {
    with_packs({out}, [&](auto pack) {
      constexpr int N = decltype(pack)::value;
      launch(
          stream_, per_row(rows_.num_rows, rows_.channels / N),
          normalize<T, N>, rows_, affine(), h(), relu, out);
    });
  }

  template <typename Index>
  void combine(
      const WeightedSlots& slots, int64_t num_nodes, T* out) const {
    const Grouped by_node = group<Index>(stream_, slots.node, num_nodes);
    with_packs({out}, [&](auto pack) {
      constexpr int N = decltype(pack)::value;
      launch(
          stream_, per_row(num_nodes, rows_.channels / N),
          cuda::combine<T, Index, N>, rows_, affine(), by_node.view(), h(),
          slots.expert.const_data_ptr<Index>(),
          slots.weight.const_data_ptr<A>(), num_nodes, out);
    });
  }

  template <typename Incoming>
  void backward(
      const Incoming& incoming, bool training,
      const NormGradients& to) const {
    const Tensor parts = new_parts(), parts_h = new_parts();
    const Tensor from_mean = torch::stable::empty_like(in_.mean);
    const Tensor from_var = torch::stable::empty_like(in_.mean);
    A* part = parts.mutable_data_ptr<A>();
    A* part_h = parts_h.mutable_data_ptr<A>();
    T* out = to.h.mutable_data_ptr<T>();
    with_packs({incoming.grad, out}, [&](auto pack) {
      constexpr int N = decltype(pack)::value;
      launch(
          stream_, per_row(chunks_.count, rows_.channels / N),
          gradient_parts<T, Incoming, N>, rows_, chunks_, affine(), incoming,
          h(), part, part_h);
      launch(
          stream_, per_item(size()), merge_gradients<T>, rows_, chunks_, part,
          part_h, in_.var.const_data_ptr<A>(), scale_.const_data_ptr<A>(),
          training, in_.eps, to.gamma.mutable_data_ptr<T>(),
          to.beta.mutable_data_ptr<T>(), from_mean.mutable_data_ptr<A>(),
          from_var.mutable_data_ptr<A>());
      launch(
          stream_, per_row(rows_.num_rows, rows_.channels / N),
          gradient_rows<T, Incoming, N>, rows_, affine(), incoming, h(),
          training, from_mean.const_data_ptr<A>(),
          from_var.const_data_ptr<A>(), out);
    });
  }

  template <typename Incoming>
  void grad_weight(const Incoming& incoming, A* out) const {
    with_packs({incoming.grad}, [&](auto pack) {
      launch(
          stream_, per_row(rows_.num_rows, kWarp),
          cuda::grad_weight<T, Incoming, decltype(pack)::value>, rows_, affine(),
          incoming, h(), out);
    });
  }

 private:
  // The rows' own mean and variance where they have one.
  void measure_rows() const {
    const Tensor parts = new_parts(), squares = new_parts();
    A* part = parts.mutable_data_ptr<A>();
    A* square = squares.mutable_data_ptr<A>();
    with_packs({}, [&](auto pack) {
      constexpr int N = decltype(pack)::value;
      launch(
          stream_, per_row(chunks_.count, rows_.channels / N),
          moment_parts<T, N>, rows_, chunks_, h(), part, square);
    });
    launch(
        stream_, per_item(size()), merge_moments<A>, rows_, chunks_, part,
        square, in_.mean.mutable_data_ptr<A>(),
        in_.var.mutable_data_ptr<A>());
  }

  // Calls f with the pack of channels that these rows and those of h allow.
  template <typename F>
  void with_packs(std::vector<const void*> others, F f) const {
    others.push_back(h());
    others.push_back(in_.mean.const_data_ptr<A>());
    with_pack<T>(rows_.channels, others, f);
  }

  const T* h() const {
    return in_.h.const_data_ptr<T>();
  }
  Affine<A> affine() const {
    return {
        in_.mean.const_data_ptr<A>(), scale_.const_data_ptr<A>(),
        shift_.const_data_ptr<A>()};
  }
  int64_t size() const {
    return rows_.num_experts * rows_.channels;
  }
  Tensor new_parts() const {
    return new_sums<T>(
        in_.mean, chunks_.num_parts(rows_.num_experts) * rows_.channels);
  }

  const NormInputs& in_;
  Tensor ptr_; // Holds the memory of it.
  cudaStream_t stream_;
  ExpertRows rows_;
  Chunks chunks_;
  Tensor scale_, shift_;
};

struct OnCuda {
  using Guard = cuda::Guard;

  template <typename T>
  using Norm = ExpertNorm<T>;

  template <typename Index>
  static Tensor expert_ptr(const Tensor& expert, int64_t num_experts) {
    Tensor out =
        torch::stable::new_empty(expert, {num_experts + 1}, ScalarType::Long);
    launch(
        current_stream(expert), per_item(num_experts + 1),
        group_pointer<Index>, expert.const_data_ptr<Index>(), expert.numel(),
        num_experts, out.mutable_data_ptr<int64_t>());
    return out;
  }
};

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CUDA, m) {
  m.impl("expert_norm", TORCH_BOX(&expert_norm<OnCuda>));
  m.impl("expert_norm_backward", TORCH_BOX(&expert_norm_backward<OnCuda>));
  m.impl("norm_combine", TORCH_BOX(&norm_combine<OnCuda>));
  m.impl("norm_combine_backward", TORCH_BOX(&norm_combine_backward<OnCuda>));
}

} // namespace gmoe::cuda

// The steps that all ops that normalise the rows of each expert share.
#pragma once

#include "norm.h"

namespace gmoe::cuda {

// The statistics of rows of type T, and their memory.
template <typename T>
class Normalisation {
 public:
  using A = acc_t<T>;

  Normalisation(
      cudaStream_t stream,
      ExpertRows rows,
      const Tensor& h,
      const Tensor& mean,
      const Tensor& var)
      : stream_(stream),
        rows_(rows),
        chunks_(rows.num_rows),
        h_(h),
        mean_(mean),
        var_(var),
        scale_(torch::stable::empty_like(mean)),
        shift_(torch::stable::empty_like(mean)) {}

  const ExpertRows& rows() const {
    return rows_;
  }

  Affine<A> affine() const {
    return {
        mean_.const_data_ptr<A>(), scale_.const_data_ptr<A>(),
        shift_.const_data_ptr<A>()};
  }

  const T* h() const {
    return h_.const_data_ptr<T>();
  }

  // Calls f with the pack of channels that these rows and those of h allow.
  template <typename F>
  void with(std::vector<const void*> others, F f) const {
    others.push_back(h());
    others.push_back(mean_.const_data_ptr<A>());
    with_pack<T>(rows_.channels, others, f);
  }

  // Takes the rows' own mean and variance where they have one.
  void measure() const {
    const Tensor parts = new_parts(), squares = new_parts();
    A* part = parts.mutable_data_ptr<A>();
    A* square = squares.mutable_data_ptr<A>();
    with({}, [&](auto pack) {
      constexpr int N = decltype(pack)::value;
      launch(
          stream_, per_row(chunks_.count, rows_.channels / N),
          moment_parts<T, N>, rows_, chunks_, h(), part, square);
    });
    launch(
        stream_, per_item(size()), merge_moments<A>, rows_, chunks_, part,
        square, mean_.mutable_data_ptr<A>(), var_.mutable_data_ptr<A>());
  }

  void prepare(const Tensor& gamma, const Tensor& beta, double eps) const {
    launch(
        stream_, per_item(size()), make_affine<T>, size(),
        mean_.const_data_ptr<A>(), var_.const_data_ptr<A>(),
        gamma.const_data_ptr<T>(), beta.const_data_ptr<T>(), eps,
        scale_.mutable_data_ptr<A>(), shift_.mutable_data_ptr<A>());
  }

  template <typename Index>
  void backward(
      const Incoming<T, Index>& incoming,
      bool training,
      double eps,
      const Tensor& grad_h,
      const Tensor& grad_gamma,
      const Tensor& grad_beta) const {
    const Tensor parts = new_parts(), parts_h = new_parts();
    const Tensor from_mean = torch::stable::empty_like(mean_);
    const Tensor from_var = torch::stable::empty_like(mean_);
    A* part = parts.mutable_data_ptr<A>();
    A* part_h = parts_h.mutable_data_ptr<A>();
    T* out = grad_h.mutable_data_ptr<T>();
    with({incoming.grad, out}, [&](auto pack) {
      constexpr int N = decltype(pack)::value;
      launch(
          stream_, per_row(chunks_.count, rows_.channels / N),
          gradient_parts<T, Index, N>, rows_, chunks_, affine(), incoming,
          h(), part, part_h);
      launch(
          stream_, per_item(size()), merge_gradients<T>, rows_, chunks_, part,
          part_h, var_.const_data_ptr<A>(), scale_.const_data_ptr<A>(),
          training, eps, grad_gamma.mutable_data_ptr<T>(),
          grad_beta.mutable_data_ptr<T>(), from_mean.mutable_data_ptr<A>(),
          from_var.mutable_data_ptr<A>());
      launch(
          stream_, per_row(rows_.num_rows, rows_.channels / N),
          gradient_rows<T, Index, N>, rows_, affine(), incoming, h(),
          training, from_mean.const_data_ptr<A>(), from_var.const_data_ptr<A>(), out);
    });
  }

 private:
  int64_t size() const {
    return rows_.num_experts * rows_.channels;
  }

  Tensor new_parts() const {
    return new_sums<T>(
        mean_, chunks_.num_parts(rows_.num_experts) * rows_.channels);
  }

  cudaStream_t stream_;
  ExpertRows rows_;
  Chunks chunks_;
  Tensor h_, mean_, var_, scale_, shift_;
};

} // namespace gmoe::cuda

// Matrix products by the libraries that PyTorch brings.
//
// torch.mm in float32 is MKL's, which keeps its AVX-512 kernels for Intel's
// processors; oneDNN's serve everybody and are faster on AMD's (compare
// benchmarks.speed.step_time with --onednn true and false). PyTorch reaches them
// through the op behind its fused linear layers.
// GMOE_ONEDNN=1 or 0 overrides the choice.
#pragma once

#include <algorithm>
#include <cstdint>

#include <torch/csrc/stable/tensor.h>

namespace gmoe::cpu {

using torch::stable::Tensor;

// out = a @ b, plus a bias if there is one; out is contiguous.
void multiply(
    const Tensor& out, const Tensor& a, const Tensor& b,
    const Tensor* bias = nullptr);

// a @ b in a new tensor, plus what is to be added, which may be overwritten.
Tensor product(const Tensor& a, const Tensor& b);
Tensor product(const Tensor& a, const Tensor& b, const Tensor& added);

// Whether the rows' products go through oneDNN.
bool prefers_onednn(const Tensor& x);

// oneDNN prepares a kernel for every new shape: it is best given numbers of
// rows that are multiples of this.
inline int64_t round_of(int64_t rows) { return rows < 1024 ? 16 : 64; }

// So many rows, or more where that suits the library for the rows of x.
int64_t padded(const Tensor& x, int64_t rows);

// The gradient of an expert's weight without rows; x is contiguous.
template <typename T>
void fill_with_zeros(const Tensor& x, int64_t expert) {
  const int64_t size = x.size(1) * x.size(2);
  std::fill_n(x.mutable_data_ptr<T>() + expert * size, size, T(0));
}

Tensor rows(const Tensor& x, int64_t begin, int64_t end);
Tensor transposed(const Tensor& x);

// The rows of a @ b, plus a bias if there is one, in two tensors: a round
// number of rows, and what remains.
class Product {
 public:
  Product(const Tensor& a, const Tensor& b, const Tensor* bias = nullptr);

  template <typename T>
  const T* row(int64_t r) const {
    return r < split_ ? main_.const_data_ptr<T>() + r * channels_
                      : rest_.const_data_ptr<T>() + (r - split_) * channels_;
  }

  // Writes the rows one below the other.
  void copy_to(const Tensor& out) const;

 private:
  int64_t split_, channels_;
  Tensor main_, rest_;
};

// a, and its transpose once that is needed.
class Factor {
 public:
  explicit Factor(const Tensor& a) : a_(a) {}

  const Tensor& get() const { return a_; }

  // out = a^T @ b; out is contiguous.
  void multiply_transposed(const Tensor& out, const Tensor& b);

 private:
  Tensor a_, transposed_;
  bool ready_ = false;
};

} // namespace gmoe::cpu

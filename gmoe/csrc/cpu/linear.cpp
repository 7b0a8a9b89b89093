#include "linear.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include <torch/csrc/inductor/aoti_torch/generated/c_shim_cpu.h>
#include <torch/csrc/stable/ops.h>
#include <torch/headeronly/core/ScalarType.h>

#include "target.h"

// Weak, as a PyTorch without oneDNN does not have it.
extern "C" __attribute__((weak)) AOTITorchError
aoti_torch_cpu__linear_pointwise(
    AtenTensorHandle x,
    AtenTensorHandle weight,
    AtenTensorHandle* bias,
    const char* attribute,
    const double** scalars,
    int64_t num_scalars,
    const char** algorithm,
    AtenTensorHandle* out);
extern "C" __attribute__((weak)) AOTITorchError
aoti_torch_cpu__linear_pointwise_binary(
    AtenTensorHandle x,
    AtenTensorHandle other,
    AtenTensorHandle weight,
    AtenTensorHandle* bias,
    const char* attribute,
    AtenTensorHandle* out);

namespace gmoe::cpu {

namespace {

using torch::headeronly::ScalarType;

bool onednn_is_faster() {
  if (&aoti_torch_cpu__linear_pointwise == nullptr ||
      &aoti_torch_cpu__linear_pointwise_binary == nullptr) {
    return false;
  }
  const char* wish = std::getenv("GMOE_ONEDNN");
  if (wish != nullptr && *wish != '\0') {
    return std::strcmp(wish, "0") != 0;
  }
#if GMOE_X86
  return target() == Target::kAvx512 && !__builtin_cpu_is("intel");
#else
  return false;
#endif
}

int64_t round_down(int64_t rows) {
  return rows / round_of(rows) * round_of(rows);
}

// a @ b in a new tensor, where a is contiguous.
Tensor linear(const Tensor& a, const Tensor& b, const Tensor* bias) {
  const Tensor weight = transposed(b);
  AtenTensorHandle out, bias_handle;
  AtenTensorHandle* with_bias = nullptr;
  if (bias != nullptr) {
    bias_handle = bias->get();
    with_bias = &bias_handle;
  }
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu__linear_pointwise(
      a.get(), weight.get(), with_bias, "none", nullptr, 0, nullptr, &out));
  return Tensor(out);
}

// out = a @ b + bias, by the library of torch.mm.
void multiply_plainly(
    const Tensor& out, const Tensor& a, const Tensor& b, const Tensor* bias) {
  STABLE_TORCH_ERROR_CODE_CHECK(
      bias == nullptr
          ? aoti_torch_cpu_mm_out(out.get(), a.get(), b.get())
          : aoti_torch_cpu_addmm_out(
                out.get(), bias->get(), a.get(), b.get(), 1, 1));
}

void add_multiplied(const Tensor& out, const Tensor& a, const Tensor& b) {
  STABLE_TORCH_ERROR_CODE_CHECK(
      aoti_torch_cpu_addmm_out(out.get(), out.get(), a.get(), b.get(), 1, 1));
}

// The transpose of the rows x, written by blocks that stay in the cache.
Tensor transposed_copy(const Tensor& x) {
  constexpr int64_t kSide = 16;
  const int64_t R = x.size(0), C = x.size(1);
  Tensor out = torch::stable::new_empty(x, {C, R});
  const float* from = x.const_data_ptr<float>();
  float* to = out.mutable_data_ptr<float>();
  torch::stable::parallel_for(
      0, (R + kSide - 1) / kSide, 8, [&](int64_t begin, int64_t end) {
        for (int64_t block = begin; block < end; ++block) {
          const int64_t r0 = block * kSide, r1 = std::min(R, r0 + kSide);
          for (int64_t c = 0; c < C; ++c) {
            for (int64_t r = r0; r < r1; ++r) {
              to[c * R + r] = from[r * C + c];
            }
          }
        }
      });
  return out;
}

} // namespace

bool prefers_onednn(const Tensor& x) {
  static const bool preferred = onednn_is_faster();
  return preferred && x.scalar_type() == ScalarType::Float;
}

int64_t padded(const Tensor& x, int64_t rows) {
  const int64_t round = prefers_onednn(x) ? round_of(rows) : 1;
  return (rows + round - 1) / round * round;
}

void multiply(
    const Tensor& out, const Tensor& a, const Tensor& b, const Tensor* bias) {
  if (prefers_onednn(a)) {
    Product(a, b, bias).copy_to(out);
  } else {
    multiply_plainly(out, a, b, bias);
  }
}

Tensor product(const Tensor& a, const Tensor& b) {
  if (prefers_onednn(a)) {
    return linear(a, b, nullptr);
  }
  Tensor out = torch::stable::new_empty(a, {a.size(0), b.size(1)});
  multiply_plainly(out, a, b, nullptr);
  return out;
}

Tensor product(const Tensor& a, const Tensor& b, const Tensor& added) {
  if (!prefers_onednn(a)) {
    add_multiplied(added, a, b);
    return added;
  }
  AtenTensorHandle out;
  const Tensor weight = transposed(b);
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu__linear_pointwise_binary(
      a.get(), added.get(), weight.get(), nullptr, "add", &out));
  return Tensor(out);
}

Tensor rows(const Tensor& x, int64_t begin, int64_t end) {
  Tensor view = x;
  return torch::stable::narrow(view, 0, begin, end - begin);
}

Tensor transposed(const Tensor& x) {
  return torch::stable::transpose(x, 0, 1);
}

Product::Product(const Tensor& a, const Tensor& b, const Tensor* bias)
    : channels_(b.size(1)) {
  const int64_t size = a.size(0);
  split_ = prefers_onednn(a) ? round_down(size) : 0;
  if (split_ > 0) {
    main_ = linear(rows(a, 0, split_), b, bias);
  }
  if (split_ < size) {
    rest_ = torch::stable::new_empty(a, {size - split_, channels_});
    multiply_plainly(rest_, rows(a, split_, size), b, bias);
  }
}

void Product::copy_to(const Tensor& out) const {
  const int64_t bytes = channels_ * out.element_size();
  auto copy = [&](const Tensor& from, int64_t begin, int64_t end) {
    if (begin == end || bytes == 0) {
      return;
    }
    const char* source = static_cast<const char*>(from.data_ptr());
    char* to = static_cast<char*>(out.data_ptr()) + begin * bytes;
    torch::stable::parallel_for(
        0, end - begin, std::max<int64_t>(1, (1 << 17) / bytes),
        [&](int64_t first, int64_t last) {
          std::memcpy(
              to + first * bytes, source + first * bytes,
              (last - first) * bytes);
        });
  };
  copy(main_, 0, split_);
  copy(rest_, split_, out.size(0));
}

void Factor::multiply_transposed(const Tensor& out, const Tensor& b) {
  if (out.numel() == 0) {
    return;
  }
  const int64_t size = a_.size(0);
  const int64_t split = prefers_onednn(a_) ? round_down(size) : 0;
  if (split == 0) {
    multiply_plainly(out, transposed(a_), b, nullptr);
    return;
  }
  if (!ready_) {
    transposed_ = transposed_copy(rows(a_, 0, split));
    ready_ = true;
  }
  const Tensor product = linear(transposed_, rows(b, 0, split), nullptr);
  std::memcpy(
      out.data_ptr(), product.data_ptr(), product.numel() * sizeof(float));
  if (split < size) {
    add_multiplied(
        out, transposed(rows(a_, split, size)), rows(b, split, size));
  }
}

} // namespace gmoe::cpu

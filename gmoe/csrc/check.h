// What every op checks before it follows a pointer: sizes, types and devices of
// its tensors, and the values of those that say where to read or write. Values
// are looked at on the CPU only: on CUDA the host would have to wait for them.
//
// A tensor that is taken is dense in memory afterwards, whatever its layout.
#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>

#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

namespace gmoe {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

constexpr int64_t kAny = -1; // A size that is not asked for.
constexpr int64_t kMost = int64_t(1) << 40; // Of nodes or experts.

inline std::string name_of(ScalarType type) {
  switch (type) {
    case ScalarType::Float:
      return "float32";
    case ScalarType::Double:
      return "float64";
    case ScalarType::Half:
      return "float16";
    case ScalarType::BFloat16:
      return "bfloat16";
    case ScalarType::Int:
      return "int32";
    case ScalarType::Long:
      return "int64";
    default:
      return torch::headeronly::toString(type);
  }
}

template <typename Sizes>
std::string text_of(const Sizes& sizes) {
  std::string text = "[";
  for (const int64_t size : sizes) {
    text += text.size() > 1 ? ", " : "";
    text += size == kAny ? "any" : std::to_string(size);
  }
  return text + "]";
}

// The type in which values of a type are summed.
inline ScalarType sum_type(ScalarType type) {
  return type == ScalarType::Double ? type : ScalarType::Float;
}

inline void check_real(const char* name, const Tensor& tensor, bool wide) {
  const ScalarType type = tensor.scalar_type();
  const bool narrow =
      type == ScalarType::Half || type == ScalarType::BFloat16;
  STD_TORCH_CHECK(
      type == ScalarType::Float || type == ScalarType::Double ||
          (narrow && !wide),
      "'", name, "' must be float32", wide ? " or float64" :
      ", float64, float16 or bfloat16", ", got ", name_of(type));
}

inline void check_integer(const char* name, const Tensor& tensor) {
  const ScalarType type = tensor.scalar_type();
  STD_TORCH_CHECK(
      type == ScalarType::Int || type == ScalarType::Long, "'", name,
      "' must be int32 or int64, got ", name_of(type));
}

inline void check_count(const char* name, int64_t count) {
  STD_TORCH_CHECK(
      count >= 0 && count <= kMost, "'", name, "' must be from 0 to ", kMost,
      ", got ", count);
}

inline void check_eps(double eps) {
  STD_TORCH_CHECK(
      std::isfinite(eps) && eps >= 0,
      "'eps' must be finite and not negative, got ", eps);
}

inline void check_dim(const char* name, const Tensor& tensor, int64_t dim) {
  STD_TORCH_CHECK(
      tensor.dim() == dim, "'", name, "' must have ", dim,
      dim == 1 ? " dimension, got shape " : " dimensions, got shape ",
      text_of(tensor.sizes()));
}

inline void check_not_empty(const char* name, const Tensor& tensor) {
  STD_TORCH_CHECK(
      tensor.numel() >= 1, "'", name,
      "' must have at least one element, got 0");
}

inline void make_dense(Tensor& tensor) {
  if (!tensor.is_contiguous()) {
    tensor = torch::stable::contiguous(tensor);
  }
}

// The tensors of one call, all on the device of the first.
class Arguments {
 public:
  Arguments(const char* name, const Tensor& first)
      : name_(name), first_(first) {}

  // Throws unless the tensor is what is asked for.
  void check(
      const char* name, const Tensor& tensor, ScalarType type,
      std::initializer_list<int64_t> shape) const {
    check_device(name, tensor);
    STD_TORCH_CHECK(
        tensor.scalar_type() == type, "'", name, "' must be ", name_of(type),
        ", got ", name_of(tensor.scalar_type()));
    bool fits = tensor.dim() == static_cast<int64_t>(shape.size());
    int64_t dim = 0;
    for (const int64_t size : shape) {
      fits = fits && (size == kAny || tensor.size(dim) == size);
      ++dim;
    }
    STD_TORCH_CHECK(
        fits, "'", name, "' must have shape ", text_of(shape), ", got ",
        text_of(tensor.sizes()));
  }

  void take(
      const char* name, Tensor& tensor, ScalarType type,
      std::initializer_list<int64_t> shape) const {
    check(name, tensor, type, shape);
    make_dense(tensor);
  }

  void take(
      const char* name, std::optional<Tensor>& tensor, ScalarType type,
      std::initializer_list<int64_t> shape) const {
    if (tensor.has_value()) {
      take(name, *tensor, type, shape);
    }
  }

  void check_device(const char* name, const Tensor& tensor) const {
    STD_TORCH_CHECK(
        tensor.is_cuda() == first_.is_cuda() &&
            tensor.is_cpu() == first_.is_cpu() &&
            tensor.get_device_index() == first_.get_device_index(),
        "'", name, "' must be on the device of '", name_, "', ",
        first_.is_cuda() ? "a CUDA device" : "the CPU", ", got another one");
  }

 private:
  const char* name_;
  Tensor first_;
};

// Of a dense tensor: each value is from 0 to count - 1.
void check_ids(const char* name, const Tensor& ids, int64_t count);

// Of a dense tensor: no value is smaller than the one before it.
void check_rising(const char* name, const Tensor& tensor);

// Of a dense tensor: where the parts of `size` rows begin; all of them belong
// to a part unless there may be a rest.
void check_ptr(
    const char* name, const Tensor& ptr, int64_t size, bool rest = false);

} // namespace gmoe

// The values of tensors that say where to read or write, on the CPU. Loops
// read every value and compare without a branch; what is wrong is looked for
// afterwards.
#include "../check.h"

#include "target.h"

namespace gmoe {

namespace {

template <typename Index>
inline bool all_below(const Index* values, int64_t size, int64_t count) {
  bool outside = false;
  for (int64_t k = 0; k < size; ++k) {
    outside |= values[k] < 0 || values[k] >= count;
  }
  return !outside;
}

template <typename Index>
inline bool all_rise(const Index* values, int64_t size) {
  bool falls = false;
  for (int64_t k = 1; k < size; ++k) {
    falls |= values[k - 1] > values[k];
  }
  return !falls;
}

GMOE_CLONES bool below(const int64_t* values, int64_t size, int64_t count) {
  return all_below(values, size, count);
}
GMOE_CLONES bool below(const int32_t* values, int64_t size, int64_t count) {
  return all_below(values, size, count);
}
GMOE_CLONES bool rises(const int64_t* values, int64_t size) {
  return all_rise(values, size);
}
GMOE_CLONES bool rises(const int32_t* values, int64_t size) {
  return all_rise(values, size);
}

template <typename F>
void with_indices(const Tensor& tensor, F f) {
  check_integer("indices", tensor);
  if (tensor.scalar_type() == ScalarType::Long) {
    f(tensor.const_data_ptr<int64_t>());
  } else {
    f(tensor.const_data_ptr<int32_t>());
  }
}

} // namespace

void check_ids(const char* name, const Tensor& ids, int64_t count) {
  with_indices(ids, [&](const auto* values) {
    if (below(values, ids.numel(), count)) {
      return;
    }
    int64_t k = 0;
    while (values[k] >= 0 && values[k] < count) {
      ++k;
    }
    STD_TORCH_CHECK(
        false, "'", name, "' must hold values from 0 to ", count - 1,
        ", got ", values[k], " at position ", k);
  });
}

void check_rising(const char* name, const Tensor& tensor) {
  with_indices(tensor, [&](const auto* values) {
    if (rises(values, tensor.numel())) {
      return;
    }
    int64_t k = 1;
    while (values[k - 1] <= values[k]) {
      ++k;
    }
    STD_TORCH_CHECK(
        false, "'", name, "' must hold values that do not decrease, got ",
        values[k - 1], " and then ", values[k], " at position ", k);
  });
}

void check_ptr(
    const char* name, const Tensor& ptr, int64_t size, bool rest) {
  check_not_empty(name, ptr);
  with_indices(ptr, [&](const auto* values) {
    const int64_t first = values[0], last = values[ptr.numel() - 1];
    STD_TORCH_CHECK(
        first == 0 && (rest ? last <= size : last == size), "'", name,
        "' must begin with 0 and end with ", rest ? "at most " : "", size,
        ", got ", first, " and ", last);
  });
  check_rising(name, ptr);
}

} // namespace gmoe

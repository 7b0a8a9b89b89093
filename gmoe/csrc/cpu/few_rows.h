// Matrix products of few rows, which are anywhere, with one large matrix: a
// general product would first copy the rows together and the matrix into
// panels, and be done with neither before the product itself.
#pragma once

#include <cstdint>

namespace gmoe::cpu {

template <typename T>
struct FewRows {
  // out[r * out_stride + j] = row[r] . b[j], over `size` channels, for the
  // rows j < columns of b.
  void (*dots)(
      const T* const* row, int64_t rows, const T* b, int64_t columns,
      int64_t size, T* out, int64_t out_stride);

  // out[r][d] += sum over j of a[r * a_stride + j] * b[j * b_stride + d], for
  // j < depth and d < size.
  void (*add_product)(
      T* const* out, const T* a, int64_t a_stride, int64_t rows, const T* b,
      int64_t b_stride, int64_t depth, int64_t size);

  // out[j * size + d] = sum over r of a[r * a_stride + j] * row[r][d], for
  // j < columns and d < size.
  void (*outer)(
      T* out, const T* a, int64_t a_stride, const T* const* row, int64_t rows,
      int64_t columns, int64_t size);
};

// The best for this processor.
template <typename T>
const FewRows<T>& few_rows();

} // namespace gmoe::cpu

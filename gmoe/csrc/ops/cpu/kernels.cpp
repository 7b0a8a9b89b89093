#include "kernels.h"

namespace gmoe::cpu {

// The branches stay outside of the loops, which are then free of them.
#define GMOE_FOR_EACH_CHANNEL(T, BODY)              \
  if (m.term2 != nullptr) {                         \
    for (int64_t d = 0; d < size; ++d) {            \
      const T z = m.x[d] + m.term1[d] + m.term2[d]; \
      BODY                                          \
    }                                               \
  } else if (m.term1 != nullptr) {                  \
    for (int64_t d = 0; d < size; ++d) {            \
      const T z = m.x[d] + m.term1[d];              \
      BODY                                          \
    }                                               \
  } else {                                          \
    for (int64_t d = 0; d < size; ++d) {            \
      const T z = m.x[d];                           \
      BODY                                          \
    }                                               \
  }

#define GMOE_DEFINE(T)                                                 \
  GMOE_CLONES void add_message(                                        \
      T* __restrict__ out, Message<T> m, T weight, int64_t size) {     \
    GMOE_FOR_EACH_CHANNEL(T, out[d] += weight * relu(z);)              \
  }                                                                    \
  GMOE_CLONES void add_masked(                                         \
      T* __restrict__ out, Message<T> m, const T* __restrict__ grad,   \
      T weight, int64_t size) {                                        \
    GMOE_FOR_EACH_CHANNEL(                                             \
        T, out[d] += weight * relu_backward(z, grad[d]);)              \
  }

GMOE_DEFINE(float)
GMOE_DEFINE(double)

} // namespace gmoe::cpu

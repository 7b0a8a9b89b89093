// Random words by position: the counter-based generator Philox4x32-10 (Salmon
// et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3"), so that every
// element's word is known without the others'.
#pragma once

#include <cstdint>

#include "inputs.h"

namespace gmoe {

constexpr int kPhiloxRounds = 10;
constexpr uint32_t kPhiloxM0 = 0xD2511F53, kPhiloxM1 = 0xCD9E8D57;
constexpr uint32_t kPhiloxW0 = 0x9E3779B9, kPhiloxW1 = 0xBB67AE85;

// The four words of a counter under a key: words c[0] to c[3], in place.
GMOE_HOST_DEVICE void philox(uint32_t c[4], uint32_t k0, uint32_t k1) {
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const uint64_t p0 = static_cast<uint64_t>(kPhiloxM0) * c[0];
    const uint64_t p1 = static_cast<uint64_t>(kPhiloxM1) * c[2];
    const uint32_t c1 = c[1], c3 = c[3];
    c[0] = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c[1] = static_cast<uint32_t>(p1);
    c[2] = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c[3] = static_cast<uint32_t>(p0);
    k0 += kPhiloxW0;
    k1 += kPhiloxW1;
  }
}

// An element is kept if its word is at least this: a share 1 - p of them.
GMOE_HOST_DEVICE uint64_t drop_below(double p) {
  return static_cast<uint64_t>(p * 4294967296.0);
}

inline void take_dropout(
    const char* name, Tensor& x, Tensor& seed, double p) {
  check_real(name, x, false);
  make_dense(x);
  Arguments(name, x).take("seed", seed, ScalarType::Long, {1});
  STD_TORCH_CHECK(
      p >= 0 && p < 1, "'p' must be at least 0 and less than 1, got ", p);
}

// What was given back of a tensor like grad. Without the ReLU it is not looked
// at.
inline void take_dropped(const Tensor& grad, Tensor& out, bool relu) {
  const Arguments arguments("grad", grad);
  if (!relu) {
    return arguments.check_device("out", out);
  }
  STD_TORCH_CHECK(
      out.scalar_type() == grad.scalar_type() &&
          text_of(out.sizes()) == text_of(grad.sizes()),
      "'out' must have the type and the shape of 'grad', ",
      name_of(grad.scalar_type()), " ", text_of(grad.sizes()), ", got ",
      name_of(out.scalar_type()), " ", text_of(out.sizes()));
  arguments.check_device("out", out);
  make_dense(out);
}

} // namespace gmoe

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

inline void check_dropout(const Tensor& seed, double p) {
  STD_TORCH_CHECK(
      seed.scalar_type() == ScalarType::Long && seed.numel() == 1,
      "'seed' must be one int64");
  STD_TORCH_CHECK(
      p >= 0 && p < 1, "'p' must be at least 0 and less than 1, got ", p);
}

} // namespace gmoe

// The body of blocks.cpp, included once for each instruction set, inside a
// namespace of that name.

// The lanes of a block in the type of the sums; fewer than kBlock of them are
// in use in rows that are shorter.
template <typename A>
struct Lanes {
  A v[kBlock];
};

template <typename A, typename T>
inline Lanes<A> load(const T* p, int64_t size) {
  A v[kBlock];
  if (size == kBlock) {
    for (int64_t l = 0; l < kBlock; ++l) {
      v[l] = static_cast<A>(p[l]);
    }
  } else {
    for (int64_t l = 0; l < kBlock; ++l) {
      v[l] = l < size ? static_cast<A>(p[l]) : A(0);
    }
  }
  Lanes<A> out;
  std::memcpy(&out, v, sizeof(v));
  return out;
}

template <typename A, typename T>
inline void store(T* p, const Lanes<A>& a, int64_t size) {
  A v[kBlock];
  std::memcpy(v, &a, sizeof(v));
  for (int64_t l = 0; l < size; ++l) {
    p[l] = static_cast<T>(v[l]);
  }
}

template <typename A>
inline Lanes<A> zero() {
  Lanes<A> out;
  for (int64_t l = 0; l < kBlock; ++l) {
    out.v[l] = A(0);
  }
  return out;
}

template <typename A>
inline void add(Lanes<A>& a, const Lanes<A>& b) {
  for (int64_t l = 0; l < kBlock; ++l) {
    a.v[l] += b.v[l];
  }
}

template <typename A>
inline void add_scaled(Lanes<A>& a, A scale, const Lanes<A>& b) {
  for (int64_t l = 0; l < kBlock; ++l) {
    a.v[l] += scale * b.v[l];
  }
}

template <typename A>
inline void add_product(
    Lanes<A>& a, const Lanes<A>& b, const Lanes<A>& c) {
  for (int64_t l = 0; l < kBlock; ++l) {
    a.v[l] += b.v[l] * c.v[l];
  }
}

// Bits where z is positive or NaN, as the derivative of torch.relu has it.
template <typename A>
inline uint32_t active(const Lanes<A>& z) {
  uint32_t bits = 0;
  for (int64_t l = 0; l < kBlock; ++l) {
    bits |= static_cast<uint32_t>(!(z.v[l] <= A(0))) << l;
  }
  return bits;
}

template <typename A>
inline void add_active(
    Lanes<A>& a, A scale, const Lanes<A>& b, uint32_t bits) {
  for (int64_t l = 0; l < kBlock; ++l) {
    a.v[l] += (bits >> l) & 1 ? scale * b.v[l] : A(0);
  }
}

#if GMOE_LANES == 512
template <>
struct Lanes<float> {
  __m512 a, b;
};

inline __mmask16 low(int64_t size) {
  return static_cast<__mmask16>(size >= 16 ? 0xffff : (1u << size) - 1);
}
inline __mmask16 high(int64_t size) {
  return low(size > 16 ? size - 16 : 0);
}

template <>
inline Lanes<float> load<float, float>(const float* p, int64_t size) {
  if (size == kBlock) {
    return {_mm512_loadu_ps(p), _mm512_loadu_ps(p + 16)};
  }
  return {
      _mm512_maskz_loadu_ps(low(size), p),
      _mm512_maskz_loadu_ps(high(size), p + 16)};
}

template <>
inline void store<float, float>(
    float* p, const Lanes<float>& x, int64_t size) {
  if (size == kBlock) {
    _mm512_storeu_ps(p, x.a);
    _mm512_storeu_ps(p + 16, x.b);
  } else {
    _mm512_mask_storeu_ps(p, low(size), x.a);
    _mm512_mask_storeu_ps(p + 16, high(size), x.b);
  }
}

template <>
inline Lanes<float> zero<float>() {
  return {_mm512_setzero_ps(), _mm512_setzero_ps()};
}

template <>
inline void add(Lanes<float>& x, const Lanes<float>& y) {
  x.a = _mm512_add_ps(x.a, y.a);
  x.b = _mm512_add_ps(x.b, y.b);
}

template <>
inline void add_scaled(Lanes<float>& x, float scale, const Lanes<float>& y) {
  const __m512 s = _mm512_set1_ps(scale);
  x.a = _mm512_fmadd_ps(s, y.a, x.a);
  x.b = _mm512_fmadd_ps(s, y.b, x.b);
}

template <>
inline void add_product(
    Lanes<float>& x, const Lanes<float>& y, const Lanes<float>& z) {
  x.a = _mm512_fmadd_ps(y.a, z.a, x.a);
  x.b = _mm512_fmadd_ps(y.b, z.b, x.b);
}

template <>
inline uint32_t active(const Lanes<float>& z) {
  const __m512 none = _mm512_setzero_ps();
  const uint32_t a = _mm512_cmp_ps_mask(z.a, none, _CMP_NLE_UQ);
  const uint32_t b = _mm512_cmp_ps_mask(z.b, none, _CMP_NLE_UQ);
  return a | b << 16;
}

template <>
inline void add_active(
    Lanes<float>& x, float scale, const Lanes<float>& y, uint32_t bits) {
  const __m512 s = _mm512_set1_ps(scale);
  x.a = _mm512_mask3_fmadd_ps(s, y.a, x.a, static_cast<__mmask16>(bits));
  x.b = _mm512_mask3_fmadd_ps(s, y.b, x.b, static_cast<__mmask16>(bits >> 16));
}
#elif GMOE_LANES == 256
template <>
inline uint32_t active(const Lanes<float>& z) {
  uint32_t bits = 0;
  for (int q = 0; q < 4; ++q) {
    const __m256 v = _mm256_loadu_ps(z.v + 8 * q);
    const __m256 on = _mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_NLE_UQ);
    bits |= static_cast<uint32_t>(_mm256_movemask_ps(on)) << (8 * q);
  }
  return bits;
}

template <>
inline void add_active(
    Lanes<float>& x, float scale, const Lanes<float>& y, uint32_t bits) {
  const __m256i lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256 s = _mm256_set1_ps(scale);
  for (int q = 0; q < 4; ++q) {
    const __m256i word =
        _mm256_set1_epi32(static_cast<int>(bits >> (8 * q)));
    const __m256 on = _mm256_castsi256_ps(
        _mm256_cmpeq_epi32(_mm256_and_si256(word, lane), lane));
    const __m256 y8 = _mm256_and_ps(on, _mm256_loadu_ps(y.v + 8 * q));
    const __m256 x8 = _mm256_loadu_ps(x.v + 8 * q);
    // Where the mask is off, x8 itself: a sum with 0 would lose its sign, and
    // a scale that is not finite would make it NaN.
    const __m256 sum = _mm256_fmadd_ps(s, y8, x8);
    _mm256_storeu_ps(x.v + 8 * q, _mm256_blendv_ps(x8, sum, on));
  }
}
#endif

// Some blocks of a row next to one another, so that what leads to the row is
// read once for all of them.
template <typename A, int kCount>
struct Pack {
  Lanes<A> block[kCount];
};

template <int kCount>
struct Bits {
  uint32_t word[kCount];
};

// As many as the registers hold.
constexpr int kTogether = GMOE_LANES == 512 ? 4 : 1;

// Where they are, and how many lanes of each are in use.
template <int kCount>
struct Place {
  int64_t at, size;

  Place(int64_t block, int64_t channels)
      : at(kCount > 1 ? block * kBlock : block_start(block, channels)),
        size(kCount > 1 || channels > kBlock ? kBlock : channels) {}
};

template <typename T>
struct Part {
  T* p;
  int64_t size;
};

template <typename T, int kCount>
inline Part<T> operator+(T* row, Place<kCount> place) {
  return {row + place.at, place.size};
}

template <typename A, int kCount>
inline Pack<A, kCount> zeros() {
  Pack<A, kCount> out;
  for (int k = 0; k < kCount; ++k) {
    out.block[k] = zero<A>();
  }
  return out;
}

template <typename T, typename A, int kCount>
inline void load(Part<const T> part, Pack<A, kCount>& to) {
  for (int k = 0; k < kCount; ++k) {
    to.block[k] = load<A>(part.p + k * kBlock, part.size);
  }
}

template <typename T, typename A, int kCount>
inline void store(Part<T> part, const Pack<A, kCount>& from) {
  for (int k = 0; k < kCount; ++k) {
    store(part.p + k * kBlock, from.block[k], part.size);
  }
}

template <typename T, typename A, int kCount>
inline void add(Part<const T> part, Pack<A, kCount>& to) {
  for (int k = 0; k < kCount; ++k) {
    add(to.block[k], load<A>(part.p + k * kBlock, part.size));
  }
}

template <typename A, int kCount>
inline void add_scaled(
    Pack<A, kCount>& a, A scale, const Pack<A, kCount>& b) {
  for (int k = 0; k < kCount; ++k) {
    add_scaled(a.block[k], scale, b.block[k]);
  }
}

template <typename A, int kCount>
inline Bits<kCount> active(const Pack<A, kCount>& z) {
  Bits<kCount> bits;
  for (int k = 0; k < kCount; ++k) {
    bits.word[k] = active(z.block[k]);
  }
  return bits;
}

template <typename A, int kCount>
inline void add_active(
    Pack<A, kCount>& a, A scale, const Pack<A, kCount>& b,
    const Bits<kCount>& bits) {
  for (int k = 0; k < kCount; ++k) {
    add_active(a.block[k], scale, b.block[k], bits.word[k]);
  }
}

// Those of a null pointer are all set.
template <int kCount>
inline Bits<kCount> load_bits(const uint32_t* mask, int64_t block) {
  Bits<kCount> bits;
  for (int k = 0; k < kCount; ++k) {
    bits.word[k] = mask == nullptr ? ~0u : mask[block + k];
  }
  return bits;
}

#include "../message_body.h"

// Has a kernel do all blocks of a row. The last has a place of its own.
template <typename Kernel>
inline void for_blocks(int64_t channels, const Kernel& kernel) {
  const int64_t words = num_blocks(channels);
  int64_t b = 0;
  for (; kTogether > 1 && b + kTogether < words; b += kTogether) {
    kernel.template run<kTogether>(b);
  }
  for (; b < words; ++b) {
    kernel.template run<1>(b);
  }
}

template <typename T>
struct SumMessages {
  T* out;
  const Message<T>* message;
  int64_t count;
  const T* self;
  acc_t<T> scale;
  uint32_t* mask;
  int64_t channels;

  template <int kCount>
  inline void run(int64_t b) const {
    const int64_t words = num_blocks(channels);
    const Place<kCount> place(b, channels);
    auto sum = zeros<acc_t<T>, kCount>();
    for (int64_t k = 0; k < count; ++k) {
      const Bits<kCount> bits = add_message(sum, message[k], place);
      if (mask != nullptr) {
        std::memcpy(mask + k * words + b, bits.word, sizeof(bits.word));
      }
    }
    if (self != nullptr) {
      add_own(sum, self, place, scale);
    }
    store(out + place, sum);
  }
};

template <typename T>
void sum_messages(
    T* out, const Message<T>* message, int64_t count, const T* self,
    acc_t<T> scale, uint32_t* mask, int64_t channels) {
  for_blocks(
      channels,
      SumMessages<T>{out, message, count, self, scale, mask, channels});
}

template <typename T>
struct SumMasked {
  T* out;
  const Masked<T>* term;
  int64_t count, channels;

  template <int kCount>
  inline void run(int64_t b) const {
    const Place<kCount> place(b, channels);
    auto sum = zeros<acc_t<T>, kCount>();
    for (int64_t k = 0; k < count; ++k) {
      add_grad(
          sum, term[k].grad, place, term[k].weight,
          load_bits<kCount>(term[k].mask, b));
    }
    store(out + place, sum);
  }
};

template <typename T>
void sum_masked(
    T* out, const Masked<T>* term, int64_t count, int64_t channels) {
  for_blocks(channels, SumMasked<T>{out, term, count, channels});
}

template <typename T>
struct AddToSums {
  const T* grad;
  const Share<T>* share;
  int64_t count, channels;

  template <int kCount>
  inline void run(int64_t b) const {
    using A = acc_t<T>;
    Pack<A, kCount> row;
    load(grad + Place<kCount>(b, channels), row);
    for (int64_t k = 0; k < count; ++k) {
      const Bits<kCount> bits = load_bits<kCount>(share[k].mask, b);
      for (A* to : share[k].sum) {
        if (to != nullptr) {
          Pack<A, kCount> sum;
          load(Part<const A>{to + b * kBlock, kBlock}, sum);
          add_active(sum, share[k].weight, row, bits);
          store(Part<A>{to + b * kBlock, kBlock}, sum);
        }
      }
    }
  }
};

template <typename T>
void add_to_sums(
    const T* grad, const Share<T>* share, int64_t count, int64_t channels) {
  for_blocks(channels, AddToSums<T>{grad, share, count, channels});
}

template <typename T>
acc_t<T> dot(const T* a, const T* b, int64_t channels) {
  using A = acc_t<T>;
  Lanes<A> sum = zero<A>();
  for (int64_t d = 0; d < channels; d += kBlock) {
    const int64_t size = channels - d < kBlock ? channels - d : kBlock;
    add_product(sum, load<A>(a + d, size), load<A>(b + d, size));
  }
  A lanes[kBlock];
  store(lanes, sum, kBlock);
  A total = 0;
  for (A lane : lanes) {
    total += lane;
  }
  return total;
}

template <typename T>
Blocks<T> kernels() {
  return {&sum_messages<T>, &sum_masked<T>, &add_to_sums<T>, &dot<T>};
}

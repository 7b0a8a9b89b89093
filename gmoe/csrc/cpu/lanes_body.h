// The lanes of a block, included once for each instruction set, inside a
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

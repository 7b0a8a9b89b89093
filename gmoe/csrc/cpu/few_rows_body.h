// The body of few_rows.cpp, included once for each instruction set, inside a
// namespace of that name.

// Some neighbouring elements of a row.
template <typename T>
struct Vec {
  static constexpr int64_t kSize = 8;
  T v[kSize];

  static Vec zero() { return Vec{}; }
  static Vec all(T value) {
    Vec out;
    for (T& v : out.v) {
      v = value;
    }
    return out;
  }
  static Vec load(const T* p) {
    Vec out;
    for (int64_t l = 0; l < kSize; ++l) {
      out.v[l] = p[l];
    }
    return out;
  }
  static Vec load(const T* p, int64_t size) {
    Vec out;
    for (int64_t l = 0; l < kSize; ++l) {
      out.v[l] = l < size ? p[l] : T(0);
    }
    return out;
  }
  void store(T* p) const {
    for (int64_t l = 0; l < kSize; ++l) {
      p[l] = v[l];
    }
  }
  void store(T* p, int64_t size) const {
    for (int64_t l = 0; l < size; ++l) {
      p[l] = v[l];
    }
  }
  void add_product(const Vec& a, const Vec& b) {
    for (int64_t l = 0; l < kSize; ++l) {
      v[l] += a.v[l] * b.v[l];
    }
  }
  T sum() const {
    T out = 0;
    for (const T value : v) {
      out += value;
    }
    return out;
  }
};

#if GMOE_LANES > 0
inline float sum_of(__m256 v) {
  const __m128 half =
      _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
}
#endif

#if GMOE_LANES == 512
template <>
struct Vec<float> {
  static constexpr int64_t kSize = 16;
  __m512 v;

  static __mmask16 first(int64_t size) {
    return static_cast<__mmask16>((1u << size) - 1);
  }
  static Vec zero() { return {_mm512_setzero_ps()}; }
  static Vec all(float value) { return {_mm512_set1_ps(value)}; }
  static Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static Vec load(const float* p, int64_t size) {
    return {_mm512_maskz_loadu_ps(first(size), p)};
  }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  void store(float* p, int64_t size) const {
    _mm512_mask_storeu_ps(p, first(size), v);
  }
  void add_product(const Vec& a, const Vec& b) {
    v = _mm512_fmadd_ps(a.v, b.v, v);
  }
  float sum() const {
    float lanes[kSize]; // GCC 12 warns of what takes the upper half out.
    store(lanes);
    return sum_of(
        _mm256_add_ps(_mm256_loadu_ps(lanes), _mm256_loadu_ps(lanes + 8)));
  }
};
#elif GMOE_LANES == 256
template <>
struct Vec<float> {
  static constexpr int64_t kSize = 8;
  __m256 v;

  static __m256i first(int64_t size) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(
        _mm256_set1_epi32(static_cast<int>(size)), lane);
  }
  static Vec zero() { return {_mm256_setzero_ps()}; }
  static Vec all(float value) { return {_mm256_set1_ps(value)}; }
  static Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static Vec load(const float* p, int64_t size) {
    return {_mm256_maskload_ps(p, first(size))};
  }
  void store(float* p) const { _mm256_storeu_ps(p, v); }
  void store(float* p, int64_t size) const {
    _mm256_maskstore_ps(p, first(size), v);
  }
  void add_product(const Vec& a, const Vec& b) {
    v = _mm256_fmadd_ps(a.v, b.v, v);
  }
  float sum() const { return sum_of(v); }
};
#endif

// Calls f with the start of each vector of a row, and the number of its
// elements where they do not fill it, else 0.
template <typename T, typename F>
inline void for_each_vector(int64_t size, F f) {
  constexpr int64_t kSize = Vec<T>::kSize;
  int64_t d = 0;
  for (; d + kSize <= size; d += kSize) {
    f(d, int64_t(0));
  }
  if (d < size) {
    f(d, size - d);
  }
}

template <typename T>
inline Vec<T> load_part(const T* p, int64_t part) {
  return part == 0 ? Vec<T>::load(p) : Vec<T>::load(p, part);
}

template <typename T>
inline void store_part(const Vec<T>& x, T* p, int64_t part) {
  part == 0 ? x.store(p) : x.store(p, part);
}

// The sums of a tile stay in registers.
constexpr int kTile = 4;

// Calls f with the first item of each tile, and the tile's size: one for each
// of the items that do not fill a tile.
template <typename F>
inline void for_each_tile(int64_t count, F f) {
  int64_t j = 0;
  for (; j + kTile <= count; j += kTile) {
    f(j, std::integral_constant<int, kTile>());
  }
  for (; j < count; ++j) {
    f(j, std::integral_constant<int, 1>());
  }
}

// Calls f with the start of V vectors of a row at a time, then with that of
// each of the others as for_each_vector does, and with how many they are.
template <int V, typename T, typename F>
inline void for_each_strip(int64_t size, F f) {
  constexpr int64_t kWide = V * Vec<T>::kSize;
  int64_t d = 0;
  for (; d + kWide <= size; d += kWide) {
    f(d, int64_t(0), std::integral_constant<int, V>());
  }
  for_each_vector<T>(size - d, [&](int64_t rest, int64_t part) {
    f(d + rest, part, std::integral_constant<int, 1>());
  });
}

// The order of the terms of a sum is the same in tiles of every size.
template <int R, int C, typename T>
void dots_tile(
    const T* const* row, const T* b, int64_t size, T* out,
    int64_t out_stride) {
  Vec<T> sum[R][C];
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) {
      sum[r][c] = Vec<T>::zero();
    }
  }
  for_each_vector<T>(size, [&](int64_t d, int64_t part) {
    Vec<T> factor[C];
    for (int c = 0; c < C; ++c) {
      factor[c] = load_part(b + c * size + d, part);
    }
    for (int r = 0; r < R; ++r) {
      const Vec<T> x = load_part(row[r] + d, part);
      for (int c = 0; c < C; ++c) {
        sum[r][c].add_product(x, factor[c]);
      }
    }
  });
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) {
      out[r * out_stride + c] = sum[r][c].sum();
    }
  }
}

template <typename T>
void dots(
    const T* const* row, int64_t rows, const T* b, int64_t columns,
    int64_t size, T* out, int64_t out_stride) {
  for_each_tile(columns, [&](int64_t j, auto with_columns) {
    constexpr int C = decltype(with_columns)::value;
    const T* from = b + j * size;
    int64_t r = 0;
    for (; r + kTile <= rows; r += kTile) {
      dots_tile<kTile, C>(
          row + r, from, size, out + r * out_stride + j, out_stride);
    }
    T* rest = out + r * out_stride + j;
    switch (rows - r) {
      case 3:
        return dots_tile<3, C>(row + r, from, size, rest, out_stride);
      case 2:
        return dots_tile<2, C>(row + r, from, size, rest, out_stride);
      case 1:
        return dots_tile<1, C>(row + r, from, size, rest, out_stride);
    }
  });
}

// J rows of the matrix, V vectors of each at a time, which stay in registers.
template <int J, int V, typename T>
void add_product_tile(
    T* const* out, const T* a, int64_t a_stride, int64_t rows, const T* b,
    int64_t b_stride, int64_t d, int64_t part) {
  constexpr int64_t kSize = Vec<T>::kSize;
  Vec<T> factor[J][V];
  for (int j = 0; j < J; ++j) {
    for (int v = 0; v < V; ++v) {
      factor[j][v] = load_part(b + j * b_stride + d + v * kSize, part);
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    Vec<T> sum[V];
    for (int v = 0; v < V; ++v) {
      sum[v] = load_part(out[r] + d + v * kSize, part);
    }
    for (int j = 0; j < J; ++j) {
      const Vec<T> scale = Vec<T>::all(a[r * a_stride + j]);
      for (int v = 0; v < V; ++v) {
        sum[v].add_product(scale, factor[j][v]);
      }
    }
    for (int v = 0; v < V; ++v) {
      store_part(sum[v], out[r] + d + v * kSize, part);
    }
  }
}

template <typename T>
void add_product(
    T* const* out, const T* a, int64_t a_stride, int64_t rows, const T* b,
    int64_t b_stride, int64_t depth, int64_t size) {
  constexpr int V = GMOE_LANES == 512 ? 4 : 2; // Of 32 or 16 registers.
  for_each_tile(depth, [&](int64_t j, auto with_depth) {
    for_each_strip<V, T>(size, [&](int64_t d, int64_t part, auto wide) {
      add_product_tile<decltype(with_depth)::value, decltype(wide)::value>(
          out, a + j, a_stride, rows, b + j * b_stride, b_stride, d, part);
    });
  });
}

// C rows of the output, V vectors of each at a time.
template <int C, int V, typename T>
void outer_tile(
    T* out, const T* a, int64_t a_stride, const T* const* row, int64_t rows,
    int64_t size, int64_t d, int64_t part) {
  constexpr int64_t kSize = Vec<T>::kSize;
  Vec<T> sum[C][V];
  for (int c = 0; c < C; ++c) {
    for (int v = 0; v < V; ++v) {
      sum[c][v] = Vec<T>::zero();
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    Vec<T> x[V];
    for (int v = 0; v < V; ++v) {
      x[v] = load_part(row[r] + d + v * kSize, part);
    }
    for (int c = 0; c < C; ++c) {
      const Vec<T> factor = Vec<T>::all(a[r * a_stride + c]);
      for (int v = 0; v < V; ++v) {
        sum[c][v].add_product(factor, x[v]);
      }
    }
  }
  for (int c = 0; c < C; ++c) {
    for (int v = 0; v < V; ++v) {
      store_part(sum[c][v], out + c * size + d + v * kSize, part);
    }
  }
}

template <typename T>
void outer(
    T* out, const T* a, int64_t a_stride, const T* const* row, int64_t rows,
    int64_t columns, int64_t size) {
  for_each_tile(columns, [&](int64_t j, auto with_columns) {
    for_each_strip<kTile, T>(size, [&](int64_t d, int64_t part, auto wide) {
      outer_tile<decltype(with_columns)::value, decltype(wide)::value>(
          out + j * size, a + j, a_stride, row, rows, size, d, part);
    });
  });
}

template <typename T>
FewRows<T> kernels() {
  return {&dots<T>, &add_product<T>, &outer<T>};
}

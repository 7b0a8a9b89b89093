// The body of relu_dropout.cpp's loops, included once for each instruction
// set, inside a namespace of that name.

// keep[i] for the elements of kDropBlock counters from `first`: element
// 4 c + w of a tensor has word w of counter c.
inline void draw(
    uint64_t first, uint32_t k0, uint32_t k1, uint64_t threshold,
    uint8_t* keep) {
  uint32_t c[4][kDropBlock];
  for (int l = 0; l < kDropBlock; ++l) {
    c[0][l] = static_cast<uint32_t>(first + l);
    c[1][l] = static_cast<uint32_t>((first + l) >> 32);
    c[2][l] = c[3][l] = 0;
  }
  for (int round = 0; round < kPhiloxRounds; ++round) {
    for (int l = 0; l < kDropBlock; ++l) {
      philox_round(c[0][l], c[1][l], c[2][l], c[3][l], k0, k1);
    }
    k0 += kPhiloxW0;
    k1 += kPhiloxW1;
  }
  for (int l = 0; l < kDropBlock; ++l) {
    for (int w = 0; w < 4; ++w) {
      keep[4 * l + w] = c[w][l] >= threshold;
    }
  }
}

// The elements begin..end of x, from a multiple of 4 * kDropBlock on. Without
// a draw (threshold 0), everything is kept.
template <typename T>
void drop(
    T* out, const T* x, int64_t begin, int64_t end, uint64_t seed,
    uint64_t threshold, acc_t<T> scale, bool with_relu) {
  using A = acc_t<T>;
  uint8_t keep[4 * kDropBlock];
  for (int64_t at = begin; at < end; at += 4 * kDropBlock) {
    draw(
        static_cast<uint64_t>(at / 4), static_cast<uint32_t>(seed),
        static_cast<uint32_t>(seed >> 32), threshold, keep);
    const int64_t size = end - at < 4 * kDropBlock ? end - at : 4 * kDropBlock;
    if (with_relu) {
      for (int64_t l = 0; l < size; ++l) {
        const A z = relu(static_cast<A>(x[at + l]));
        out[at + l] = static_cast<T>(dropped(z, keep[l], scale));
      }
    } else {
      for (int64_t l = 0; l < size; ++l) {
        const A z = static_cast<A>(x[at + l]);
        out[at + l] = static_cast<T>(dropped(z, keep[l], scale));
      }
    }
  }
}

template <typename T>
void pass(
    T* __restrict grad_x, const T* __restrict grad, const T* __restrict out,
    int64_t begin, int64_t end, acc_t<T> scale) {
  using A = acc_t<T>;
  for (int64_t i = begin; i < end; ++i) {
    grad_x[i] = static_cast<T>(dropped_backward(
        static_cast<A>(grad[i]), static_cast<A>(out[i]), scale));
  }
}

template <typename T>
DropLoops<T> kernels() {
  return {&drop<T>, &pass<T>};
}

// The body of blocks.cpp, included once for each instruction set, inside a
// namespace of that name.

#include "lanes_body.h"

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

// Arithmetic on rows of channels, compiled for several instruction sets and
// chosen when the library is loaded.
#pragma once

#include <cstdint>

#include "../routed_message.h"

namespace gmoe::cpu {

// Rows are worked on in blocks of kBlock channels. The last block ends with the
// row and overlaps the one before it, so that there is no remainder; rows
// shorter than a block are one block.
inline int64_t block_start(int64_t block, int64_t channels) {
  const int64_t last = channels > kBlock ? channels - kBlock : 0;
  return block * kBlock < last ? block * kBlock : last;
}

// One term of a sum of gradients: weight * grad where the mask has a bit. The
// mask of a row is one word per block.
template <typename T>
struct Masked {
  const T* grad;
  const uint32_t* mask; // Or null, for everywhere.
  acc_t<T> weight;
};

// What a row of gradients adds to sums: weight * grad where the mask has a bit.
// The sums are rows of num_blocks times kBlock, or null; the last block has a
// place of its own.
template <typename T>
struct Share {
  acc_t<T>* sum[2];
  const uint32_t* mask; // Or null, for everywhere.
  acc_t<T> weight;
};

template <typename T>
struct Blocks {
  using A = acc_t<T>;

  // out = sum of the messages, plus scale * self where self is not null. The
  // masks of the messages follow one another from mask, unless it is null.
  void (*sum_messages)(
      T* out, const Message<T>* message, int64_t count, const T* self, A scale,
      uint32_t* mask, int64_t channels);

  // out = sum of the terms
  void (*sum_masked)(
      T* out, const Masked<T>* term, int64_t count, int64_t channels);

  // Adds the shares of one row, in their order.
  void (*add_to_sums)(
      const T* grad, const Share<T>* share, int64_t count, int64_t channels);

  // The scalar product of two rows.
  A (*dot)(const T* a, const T* b, int64_t channels);
};

// The best for this processor.
template <typename T>
const Blocks<T>& blocks();

// out[d] = the row of block-wise sums at channel d.
template <typename A, typename T>
void unblock(const A* sum, T* out, int64_t channels) {
  for (int64_t b = 0; b < num_blocks(channels); ++b) {
    const int64_t start = block_start(b, channels);
    const int64_t end = channels < start + kBlock ? channels : start + kBlock;
    for (int64_t d = b * kBlock; d < end; ++d) {
      out[d] = static_cast<T>(sum[b * kBlock + d - start]);
    }
  }
}

} // namespace gmoe::cpu

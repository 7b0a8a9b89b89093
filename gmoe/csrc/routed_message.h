// The arguments of routed message passing, as plain pointers.
#pragma once

#include <cstdint>

#include "vector.h"

namespace gmoe {

constexpr int kMaxHops = 4;

// The op on the CPU keeps a bit for each channel of a message: whether the
// ReLU let it through. A word holds those of a block of channels.
constexpr int64_t kBlock = 32;

inline int64_t num_blocks(int64_t channels) {
  return channels <= kBlock ? 1 : (channels + kBlock - 1) / kBlock;
}

// What an edge or a root adds to a sum: weight * relu(x + term1 + term2).
template <typename T>
struct Message {
  const T* x;
  const T* term1; // Or null.
  const T* term2; // Or null.
  acc_t<T> weight;
};

// The edges that some of the experts look at. They are ordered by target:
// those into node i are ptr[i] to ptr[i + 1]. Table t has rows for each of the
// hop's experts, or the same rows for all of them (stride 0).
template <typename T, typename Index>
struct Hop {
  int64_t first_expert;
  int64_t num_experts;
  const Index* ptr;
  const Index* source;
  const T* table[2];
  const Index* code[2];
  int64_t table_stride[2]; // Elements from an expert's rows to the next's.
  int64_t num_codes[2];
  const acc_t<T>* edge_weight; // Or null, for 1.
  const acc_t<T>* root_weight; // Of nodes; null where there is no root term.

  GMOE_HOST_DEVICE acc_t<T> weight(int64_t edge) const {
    return edge_weight == nullptr ? acc_t<T>(1) : edge_weight[edge];
  }
};

// A slot is a node seen by an expert; slots are ordered by expert. Experts
// share the row j of x, or have rows of their own: row_of[o * N + j], or row
// j * n + o where row_of is null.
template <typename T, typename Index>
struct RoutedMessage {
  const T* x;
  const Index* node;
  const Index* expert;
  const Index* row_of; // Or null.
  bool own_rows;
  const T* root; // (n, D), or null.
  const T* self_scale; // (n), or null.
  Hop<T, Index> hop[kMaxHops];
  int num_hops;
  int64_t num_slots;
  int64_t num_nodes;
  int64_t num_experts;
  int64_t channels;

  GMOE_HOST_DEVICE const Hop<T, Index>& hop_of(int64_t expert) const {
    int h = 0;
    while (h + 1 < num_hops && expert >= hop[h + 1].first_expert) {
      ++h;
    }
    return hop[h];
  }

  GMOE_HOST_DEVICE int64_t row(int64_t expert, int64_t j) const {
    if (!own_rows) {
      return j;
    }
    return row_of == nullptr ? j * num_experts + expert
                             : row_of[expert * num_nodes + j];
  }

  // The term of table t of the edge, or null.
  GMOE_HOST_DEVICE const T* term(
      const Hop<T, Index>& h, int t, int64_t expert, int64_t edge) const {
    if (h.table[t] == nullptr) {
      return nullptr;
    }
    return h.table[t] + (expert - h.first_expert) * h.table_stride[t] +
        h.code[t][edge] * channels;
  }

  GMOE_HOST_DEVICE Message<T> edge_message(
      const Hop<T, Index>& h, int64_t expert, int64_t edge) const {
    return {
        x + row(expert, h.source[edge]) * channels, term(h, 0, expert, edge),
        term(h, 1, expert, edge), h.weight(edge)};
  }

  GMOE_HOST_DEVICE Message<T> root_message(
      const Hop<T, Index>& h, int64_t expert, int64_t i) const {
    return {
        x + row(expert, i) * channels, root + expert * channels, nullptr,
        h.root_weight[i]};
  }

  // Calls f with each message of a slot: those of its edges, then its root's.
  template <typename F>
  GMOE_HOST_DEVICE void each_message(int64_t slot, const F& f) const {
    const int64_t i = node[slot], o = expert[slot];
    const Hop<T, Index>& h = hop_of(o);
    const int64_t end = h.ptr[i + 1];
    for (int64_t e = h.ptr[i]; e < end; ++e) {
      f(edge_message(h, o, e));
    }
    if (h.root_weight != nullptr) {
      f(root_message(h, o, i));
    }
  }
};

} // namespace gmoe

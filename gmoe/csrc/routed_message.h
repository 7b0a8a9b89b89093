// The arguments of routed message passing, as plain pointers.
#pragma once

#include <cstdint>

#include "vector.h"

namespace gmoe {

constexpr int kMaxHops = 4;

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
};

} // namespace gmoe

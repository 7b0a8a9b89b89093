// The arguments of routed message passing, as plain pointers.
#pragma once

#include <cstdint>

#include "vector.h"

namespace gmoe {

// A slot is a node seen by an expert. Edges are ordered by target: those into
// node i are ptr[i] to ptr[i + 1]. Row (o, j) of x is row_of[o * N + j], or j
// where the experts share x. Table t has num_codes[t] rows per expert, or only
// as many for all of them (stride 0).
template <typename T, typename Index>
struct RoutedMessage {
  const T* x;
  const Index* node;
  const Index* expert;
  const Index* ptr;
  const Index* source;
  const Index* row_of;
  const T* table[2];
  const Index* code[2];
  int64_t table_stride[2]; // Elements from an expert's table to the next's.
  const acc_t<T>* edge_weight;
  int64_t num_slots;
  int64_t num_nodes;
  int64_t channels;

  GMOE_HOST_DEVICE int64_t row(int64_t expert, int64_t edge) const {
    const int64_t j = source[edge];
    return row_of == nullptr ? j : row_of[expert * num_nodes + j];
  }

  GMOE_HOST_DEVICE int64_t term(int t, int64_t expert, int64_t edge) const {
    return expert * table_stride[t] + code[t][edge] * channels;
  }

  GMOE_HOST_DEVICE Message<T> message(int64_t expert, int64_t edge) const {
    return {
        x + row(expert, edge) * channels,
        table[0] == nullptr ? nullptr : table[0] + term(0, expert, edge),
        table[1] == nullptr ? nullptr : table[1] + term(1, expert, edge)};
  }

  GMOE_HOST_DEVICE acc_t<T> weight(int64_t edge) const {
    return edge_weight == nullptr ? acc_t<T>(1) : edge_weight[edge];
  }
};

} // namespace gmoe

// Which nodes' transformed rows each expert of graph convolutions needs, and
// rows of nodes copied and added.
#pragma once

#include <memory>

#include "message.h"

namespace gmoe::cpu {

// The nodes whose transformed rows each expert needs: its own and their
// neighbours. Where that is nearly every node, all are computed, which saves
// to gather them.
template <typename Index>
struct NeededRows {
  std::vector<std::vector<int64_t>> node; // Of each expert; empty for all.
  std::vector<char> all;
  std::unique_ptr<Index[]> row_of; // (n, N), where needed.

  template <typename T>
  NeededRows(
      const RoutedMessage<T, Index>& op,
      const std::vector<int64_t>& expert_ptr)
      : node(op.num_experts),
        all(op.num_experts, 0),
        row_of(new Index[op.num_experts * op.num_nodes]) {
    torch::stable::parallel_for(
        0, op.num_experts, grain(op.num_nodes),
        [&](int64_t begin, int64_t end) {
          std::vector<char> needed(op.num_nodes);
          for (int64_t o = begin; o < end; ++o) {
            std::fill(needed.begin(), needed.end(), 0);
            const auto& hop = op.hop_of(o);
            for (int64_t s = expert_ptr[o]; s < expert_ptr[o + 1]; ++s) {
              const int64_t i = op.node[s];
              needed[i] = 1;
              for (int64_t e = hop.ptr[i]; e < hop.ptr[i + 1]; ++e) {
                needed[hop.source[e]] = 1;
              }
            }
            number(o, needed);
          }
        });
  }

  int64_t count(int64_t o) const {
    return static_cast<int64_t>(node[o].size());
  }

 private:
  void number(int64_t o, const std::vector<char>& needed) {
    const int64_t N = static_cast<int64_t>(needed.size());
    const int64_t count = std::count(needed.begin(), needed.end(), 1);
    all[o] = count * 10 > N * 7;
    if (all[o]) {
      return;
    }
    node[o].reserve(count);
    for (int64_t j = 0; j < N; ++j) {
      if (needed[j]) {
        row_of[o * N + j] = static_cast<Index>(node[o].size());
        node[o].push_back(j);
      }
    }
  }
};

template <typename T>
void gather(
    const T* x, const std::vector<int64_t>& node, int64_t channels, T* out) {
  torch::stable::parallel_for(
      0, static_cast<int64_t>(node.size()), grain(channels),
      [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
          const T* from = x + node[r] * channels;
          std::copy(from, from + channels, out + r * channels);
        }
      });
}

// Nodes differ, so no two threads add to the same row.
template <typename T>
void scatter_add(
    const T* x, const std::vector<int64_t>& node, int64_t channels, T* out) {
  torch::stable::parallel_for(
      0, static_cast<int64_t>(node.size()), grain(channels),
      [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
          T* to = out + node[r] * channels;
          for (int64_t d = 0; d < channels; ++d) {
            to[d] += x[r * channels + d];
          }
        }
      });
}

} // namespace gmoe::cpu

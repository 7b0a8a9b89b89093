// Routed message passing on the CPU, for every op that needs it. Each output
// element is summed by one thread in a fixed order, so results do not depend
// on the number of threads.
//
// The forward pass keeps one bit per message and channel: whether the ReLU let
// it through. The backward pass needs the bits and the gradient, and neither
// rows nor tables.
#pragma once

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

#include <torch/csrc/stable/ops.h>

#include "../message_inputs.h"
#include "blocks.h"

namespace gmoe::cpu {

// At least this many elements of work for a thread of its own.
constexpr int64_t kGrain = 1 << 14;

inline int64_t grain(int64_t work_per_item) {
  return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, work_per_item));
}

// Asks for the cache lines of a row, to be read or to be written.
template <bool kWrite = false, typename T>
void prefetch(const T* row, int64_t channels) {
#if defined(__GNUC__)
  const char* end = reinterpret_cast<const char*>(row + channels);
  for (const char* p = reinterpret_cast<const char*>(row); p < end; p += 64) {
    __builtin_prefetch(p, kWrite);
  }
#endif
}

// Runs run(item, list) for each item, with the list that build(item, list) has
// made some items earlier: time for the rows that it asked for to arrive.
template <typename Element, typename Build, typename Run>
void pipeline(int64_t begin, int64_t end, const Build& build, const Run& run) {
  constexpr int64_t kAhead = 4;
  std::array<std::vector<Element>, kAhead> ring;
  for (int64_t item = begin; item < end + kAhead; ++item) {
    auto& list = ring[(item - begin) % kAhead];
    if (item - kAhead >= begin) {
      run(item - kAhead, list);
    }
    if (item < end) {
      list.clear();
      build(item, list);
    }
  }
}

// Counting sort of the positions of the keys begin..end, stable.
struct Grouped {
  std::vector<int64_t> ptr, position;

  template <typename Index>
  Grouped(const Index* key, int64_t begin, int64_t end, int64_t num_groups)
      : ptr(num_groups + 1, 0), position(end - begin) {
    for (int64_t k = begin; k < end; ++k) {
      ++ptr[key[k] + 1];
    }
    std::partial_sum(ptr.begin(), ptr.end(), ptr.begin());
    std::vector<int64_t> next(ptr.begin(), ptr.end() - 1);
    for (int64_t k = begin; k < end; ++k) {
      position[next[key[k]]++] = k;
    }
  }
};

// Where the slots of each expert begin.
template <typename T, typename Index>
std::vector<int64_t> expert_ptr(const RoutedMessage<T, Index>& op) {
  std::vector<int64_t> ptr(op.num_experts + 1, 0);
  for (int64_t s = 0; s < op.num_slots; ++s) {
    ++ptr[op.expert[s] + 1];
  }
  std::partial_sum(ptr.begin(), ptr.end(), ptr.begin());
  return ptr;
}

// Where the messages of each slot begin: one for each edge, then the root's.
template <typename T, typename Index>
std::vector<int64_t> message_ptr(const RoutedMessage<T, Index>& op) {
  std::vector<int64_t> ptr(op.num_slots + 1, 0);
  for (int64_t s = 0; s < op.num_slots; ++s) {
    const auto& hop = op.hop_of(op.expert[s]);
    const int64_t i = op.node[s];
    ptr[s + 1] = ptr[s] + hop.ptr[i + 1] - hop.ptr[i] +
        (hop.root_weight != nullptr);
  }
  return ptr;
}

// The bits of the messages, or no rows where they are not kept.
inline Tensor new_mask(
    const HopInputs& hops, const Tensor& x,
    const std::vector<int64_t>& message, int64_t num_messages,
    int64_t channels) {
  hops.check_messages(
      num_messages, message.back(), static_cast<int64_t>(message.size()) - 1);
  return torch::stable::new_empty(
      x, {num_messages, num_blocks(channels)}, ScalarType::Int);
}

inline void check_mask(
    const std::vector<int64_t>& message, const Tensor& mask) {
  STD_TORCH_CHECK(
      message.back() <= mask.size(0), "'mask' must have a row for each of ",
      message.back(), " messages, got ", mask.size(0));
}

// The pair that each row of x belongs to, as expert * N + node; -1 where no
// slot looks at the row. Rows are named by row_of where a slot looks at the
// pair, and else it has no meaning; no two pairs share a row.
template <typename T, typename Index>
std::vector<int64_t> row_owners(
    const RoutedMessage<T, Index>& op, int64_t num_rows) {
  std::vector<int64_t> owner(num_rows, -1);
  auto look = [&](int64_t o, int64_t j) {
    const int64_t pair = o * op.num_nodes + j, row = op.row_of[pair];
    STD_TORCH_CHECK(
        row >= 0 && row < num_rows, "'row_of' must hold rows from 0 to ",
        num_rows - 1, ", got ", row, " for expert ", o, " and node ", j);
    STD_TORCH_CHECK(
        owner[row] == -1 || owner[row] == pair,
        "'row_of' must hold a row for one expert and node only, got ", row,
        " for two");
    owner[row] = pair;
  };
  for (int64_t s = 0; s < op.num_slots; ++s) {
    const int64_t i = op.node[s], o = op.expert[s];
    const auto& hop = op.hop_of(o);
    for (int64_t e = hop.ptr[i]; e < hop.ptr[i + 1]; ++e) {
      look(o, hop.source[e]);
    }
    if (hop.root_weight != nullptr) {
      look(o, i);
    }
  }
  return owner;
}

// The words of the bits; null where there are no rows.
inline uint32_t* bits_of(const Tensor& mask) {
  return mask.size(0) == 0
      ? nullptr
      : reinterpret_cast<uint32_t*>(mask.mutable_data_ptr<int32_t>());
}

// The outputs of the slots begin..end, and the bits unless mask is null.
// Experts that share rows meet at a node: its neighbours' rows are in the cache
// for all of them. Rows of an expert's own are so expert by expert.
template <typename T, typename Index>
void forward(
    const RoutedMessage<T, Index>& op,
    const std::vector<int64_t>& message,
    int64_t begin,
    int64_t end,
    T* out,
    uint32_t* mask) {
  const int64_t D = op.channels, words = num_blocks(D);
  const Blocks<T>& kernel = blocks<T>();
  std::vector<int64_t> order;
  if (!op.own_rows) {
    order = Grouped(op.node, begin, end, op.num_nodes).position;
  }
  auto slot = [&](int64_t k) { return order.empty() ? k : order[k - begin]; };
  auto build = [&](int64_t k, std::vector<Message<T>>& messages) {
    op.each_message(slot(k), [&](const Message<T>& m) {
      messages.push_back(m);
      prefetch(m.x, D);
    });
    prefetch<true>(out + slot(k) * D, D);
  };
  auto run = [&](int64_t k, const std::vector<Message<T>>& messages) {
    const int64_t s = slot(k), o = op.expert[s];
    const bool self = op.self_scale != nullptr;
    kernel.sum_messages(
        out + s * D, messages.data(), static_cast<int64_t>(messages.size()),
        self ? op.x + op.row(o, op.node[s]) * D : nullptr,
        self ? static_cast<acc_t<T>>(op.self_scale[o]) : acc_t<T>(0),
        mask == nullptr ? nullptr : mask + message[s] * words, D);
  };
  auto work = [&](int64_t first, int64_t last) {
    pipeline<Message<T>>(first, last, build, run);
  };
  torch::stable::parallel_for(begin, end, grain(4 * D), work);
}

// What the backward pass knows of one message: its slot and its bits.
template <typename T, typename Index>
struct Saved {
  const RoutedMessage<T, Index>& op;
  const std::vector<int64_t>& message;
  const uint32_t* mask;
  const T* grad;

  Masked<T> edge(const Hop<T, Index>& hop, int64_t s, int64_t e) const {
    const int64_t at = message[s] + e - hop.ptr[op.node[s]];
    return {
        grad + s * op.channels, mask + at * num_blocks(op.channels),
        hop.weight(e)};
  }

  Masked<T> root(const Hop<T, Index>& hop, int64_t s) const {
    return {
        grad + s * op.channels,
        mask + (message[s + 1] - 1) * num_blocks(op.channels),
        hop.root_weight[op.node[s]]};
  }

  Masked<T> self(int64_t s) const {
    return {
        grad + s * op.channels, nullptr,
        static_cast<acc_t<T>>(op.self_scale[op.expert[s]])};
  }
};

// The edges of a hop by source, and the target of each.
template <typename T, typename Index>
struct Transposed {
  Grouped by_source;
  std::vector<int64_t> target;

  Transposed(const Hop<T, Index>& hop, int64_t num_nodes)
      : by_source(hop.source, 0, hop.ptr[num_nodes], num_nodes),
        target(hop.ptr[num_nodes]) {
    for (int64_t i = 0; i < num_nodes; ++i) {
      std::fill(
          target.begin() + hop.ptr[i], target.begin() + hop.ptr[i + 1], i);
    }
  }

  // Adds the terms of the gradient of the row of node j: from the slots that
  // slots(i) lists for each node i that looks at j, and for j itself.
  template <typename Slots>
  void collect(
      const Saved<T, Index>& saved,
      const Hop<T, Index>& hop,
      int64_t j,
      const Slots& slots,
      std::vector<Masked<T>>& terms) const {
    for (int64_t p = by_source.ptr[j]; p < by_source.ptr[j + 1]; ++p) {
      const int64_t e = by_source.position[p];
      slots(target[e], [&](int64_t s) {
        terms.push_back(saved.edge(hop, s, e));
        prefetch(terms.back().grad, saved.op.channels);
      });
    }
    slots(j, [&](int64_t s) {
      if (hop.root_weight != nullptr) {
        terms.push_back(saved.root(hop, s));
      }
      if (saved.op.self_scale != nullptr) {
        terms.push_back(saved.self(s));
      }
    });
  }
};

// The slot of each node that one expert handles.
template <typename Index>
struct SlotOf {
  std::vector<int64_t> slot;

  SlotOf(const Index* node, int64_t begin, int64_t end, int64_t num_nodes)
      : slot(num_nodes, -1) {
    for (int64_t s = begin; s < end; ++s) {
      STD_TORCH_CHECK(
          slot[node[s]] == -1,
          "'node' must hold each node once for an expert, got ", node[s],
          " twice");
      slot[node[s]] = s;
    }
  }

  template <typename F>
  void operator()(int64_t i, const F& f) const {
    if (slot[i] >= 0) {
      f(slot[i]);
    }
  }
};

} // namespace gmoe::cpu

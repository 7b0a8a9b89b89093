// The slots of a routing, grouped by expert: a counting sort in one thread.
#include "../group_by_expert.h"

#include <algorithm>
#include <vector>

#include <torch/csrc/stable/library.h>

namespace gmoe::cpu {

namespace {

template <typename Weight, typename Index>
void check(const Slots<Weight, Index>& slots) {
  const Index* ptr = slots.ptr;
  bool valid = ptr[0] == 0 && ptr[slots.num_nodes] == slots.num_slots;
  for (int64_t i = 0; i < slots.num_nodes; ++i) {
    valid &= ptr[i] <= ptr[i + 1];
  }
  STD_TORCH_CHECK(
      valid, "'ptr' must rise from 0 to the number of slots, ",
      slots.num_slots);
  bool known = true;
  for (int64_t s = 0; s < slots.num_slots; ++s) {
    known &= slots.expert[s] >= 0 && slots.expert[s] < slots.num_experts;
  }
  STD_TORCH_CHECK(
      known, "'expert' must hold ids from 0 to ", slots.num_experts - 1);
}

template <typename Weight, typename Index>
void group(const Slots<Weight, Index>& slots) {
  Index* ptr = slots.out_ptr;
  std::fill(ptr, ptr + slots.num_experts + 1, Index(0));
  for (int64_t s = 0; s < slots.num_slots; ++s) {
    ++ptr[slots.expert[s] + 1];
  }
  for (int64_t o = 0; o < slots.num_experts; ++o) {
    ptr[o + 1] += ptr[o];
  }
  std::vector<Index> next(ptr, ptr + slots.num_experts);
  for (int64_t i = 0; i < slots.num_nodes; ++i) {
    for (int64_t s = slots.ptr[i]; s < slots.ptr[i + 1]; ++s) {
      slots.move(s, i, next[slots.expert[s]]++);
    }
  }
}

GroupedSlots group_by_expert(
    Tensor weight, Tensor expert, Tensor ptr, int64_t num_experts) {
  return with_slots(
      weight, expert, ptr, num_experts, [](const auto& slots) {
        check(slots);
        group(slots);
      });
}

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CPU, m) {
  m.impl("group_by_expert", TORCH_BOX(&group_by_expert));
}

} // namespace gmoe::cpu

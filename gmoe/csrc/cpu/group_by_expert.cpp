// The slots of a routing, grouped by expert: a counting sort in one thread.
#include "../group_by_expert.h"

#include <algorithm>
#include <vector>

#include <torch/csrc/stable/library.h>

namespace gmoe::cpu {

namespace {

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
      weight, expert, ptr, num_experts, [](const auto& slots) { group(slots); });
}

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CPU, m) {
  m.impl("group_by_expert", TORCH_BOX(&group_by_expert));
}

} // namespace gmoe::cpu

// A few rows of the noisy top-k gate: the memory they are worked on in, and
// the loops, compiled for several instruction sets.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace gmoe::cpu {

// Matrices of rows by experts have `width` elements per row, a multiple of a
// vector's lanes: those behind the last expert have no meaning. Matrices of
// rows by selected experts are dense.
template <typename A>
struct GateRows {
  static constexpr int64_t kLanes = 8;

  int64_t num_experts, top_k, width, capacity;
  int64_t rows = 0;
  bool topk_first;

  std::vector<A> clean, raw, noise, scale, logits;
  std::vector<int32_t> rank, order; // Of the experts; order inverts rank.
  std::vector<A> probability; // The softmax over all experts, if it is used.
  std::vector<A> weight; // Of the selected experts, the largest first.
  std::vector<A> z, load; // Clean score above the threshold, in scales.
  std::vector<A> grad_weight, grad_load, grad_logits, grad_clean, grad_raw;

  GateRows(int64_t num_experts, int64_t top_k, bool topk_first, bool backward)
      : num_experts(num_experts),
        top_k(top_k),
        width((num_experts + kLanes - 1) / kLanes * kLanes),
        capacity(std::max<int64_t>(1, 512 / width)),
        topk_first(topk_first) {
    const int64_t size = capacity * width;
    for (auto* matrix : {&clean, &raw, &noise, &scale, &logits, &z, &load}) {
      matrix->resize(size);
    }
    rank.resize(size);
    order.resize(size);
    probability.resize(topk_first ? 0 : size);
    weight.resize(capacity * top_k);
    if (backward) {
      for (auto* matrix : {&grad_load, &grad_logits, &grad_clean, &grad_raw}) {
        matrix->resize(size);
      }
      grad_weight.resize(capacity * top_k);
    }
  }
};

#define GMOE_DECLARE(A)                                                     \
  /* clean, raw, noise -> scale, logits */                                  \
  void perturb(GateRows<A>& gate);                                          \
  /* logits -> rank, order */                                               \
  void rank(GateRows<A>& gate);                                             \
  /* logits, order -> weight, probability */                                \
  void weigh(GateRows<A>& gate);                                            \
  /* clean, scale, logits, rank, order -> z */                              \
  void standardize(GateRows<A>& gate);                                      \
  /* z -> load */                                                           \
  void pass(GateRows<A>& gate);                                             \
  /* grad_weight -> grad_logits, to which it adds */                        \
  void weigh_backward(GateRows<A>& gate);                                   \
  /* grad_load -> grad_clean; grad_logits, to which it adds; and grad_raw,  \
     which holds the gradient of scale */                                   \
  void pass_backward(GateRows<A>& gate);                                    \
  /* grad_logits and the gradient of scale -> grad_clean, grad_raw */       \
  void perturb_backward(GateRows<A>& gate);

GMOE_DECLARE(float)
GMOE_DECLARE(double)
#undef GMOE_DECLARE

} // namespace gmoe::cpu

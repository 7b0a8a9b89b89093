#include "gate_rows.h"

#include <type_traits>

#include "../noisy_topk.h"
#include "target.h"

// A body becomes vector code only inside of the function that is compiled for
// several instruction sets.
#if defined(__GNUC__)
#define GMOE_BODY template <typename A> __attribute__((always_inline)) inline
#else
#define GMOE_BODY template <typename A> inline
#endif

namespace gmoe::cpu {

namespace {

GMOE_BODY void perturb_body(GateRows<A>& gate) {
  const A* __restrict__ clean = gate.clean.data();
  const A* __restrict__ raw = gate.raw.data();
  const A* __restrict__ noise = gate.noise.data();
  A* __restrict__ scale = gate.scale.data();
  A* __restrict__ logits = gate.logits.data();
  const int64_t size = gate.rows * gate.width;
  for (int64_t i = 0; i < size; ++i) {
    scale[i] = noise_scale(raw[i]);
    logits[i] = clean[i] + noise[i] * scale[i];
  }
}

// The rank of an expert is the number of those before it: larger scores, and
// equal ones of lower ids.
GMOE_BODY void rank_body(GateRows<A>& gate) {
  using Key = std::conditional_t<sizeof(A) == 4, int32_t, int64_t>;
  constexpr int64_t kLanes = GateRows<A>::kLanes;
  const int64_t n = gate.num_experts, width = gate.width;
  std::vector<Key> keys(width);
  Key* __restrict__ key = keys.data();
  for (int64_t row = 0; row < gate.rows; ++row) {
    const A* __restrict__ logits = gate.logits.data() + row * width;
    int32_t* __restrict__ rank = gate.rank.data() + row * width;
    int32_t* __restrict__ order = gate.order.data() + row * width;
    for (int64_t o = 0; o < width; ++o) {
      key[o] = sort_key(logits[o]);
    }
    for (int64_t first = 0; first < width; first += kLanes) {
      Key before[kLanes] = {};
      for (int64_t p = 0; p < n; ++p) {
        for (int64_t lane = 0; lane < kLanes; ++lane) {
          const bool is_lower = Key(p) < Key(first + lane);
          before[lane] += key[p] > key[first + lane] - Key(is_lower);
        }
      }
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        rank[first + lane] = static_cast<int32_t>(before[lane]);
      }
    }
    for (int64_t o = 0; o < n; ++o) {
      order[rank[o]] = static_cast<int32_t>(o);
    }
  }
}

GMOE_BODY void exp_in_place(A* __restrict__ values, int64_t size) {
  for (int64_t i = 0; i < size; ++i) {
    values[i] = exp_nonpositive(values[i]);
  }
}

GMOE_BODY void weigh_body(GateRows<A>& gate) {
  const int64_t n = gate.num_experts, width = gate.width, k = gate.top_k;
  const A* __restrict__ logits = gate.logits.data();
  const int32_t* __restrict__ order = gate.order.data();
  A* __restrict__ weight = gate.weight.data();
  A* __restrict__ probability = gate.probability.data();
  if (gate.topk_first) {
    for (int64_t row = 0; row < gate.rows; ++row) {
      const int64_t at = row * width;
      for (int64_t j = 0; j < k; ++j) {
        weight[row * k + j] =
            logits[at + order[at + j]] - logits[at + order[at]];
      }
    }
    exp_in_place(weight, gate.rows * k);
    for (int64_t row = 0; row < gate.rows; ++row) {
      A sum = 0;
      for (int64_t j = 0; j < k; ++j) {
        sum += weight[row * k + j];
      }
      for (int64_t j = 0; j < k; ++j) {
        weight[row * k + j] /= sum;
      }
    }
    return;
  }
  for (int64_t row = 0; row < gate.rows; ++row) {
    const int64_t at = row * width;
    const A best = logits[at + order[at]];
    for (int64_t o = 0; o < width; ++o) {
      probability[at + o] = logits[at + o] - best;
    }
  }
  exp_in_place(probability, gate.rows * width);
  for (int64_t row = 0; row < gate.rows; ++row) {
    const int64_t at = row * width;
    A sum = 0;
    for (int64_t o = 0; o < n; ++o) {
      sum += probability[at + o];
    }
    for (int64_t o = 0; o < n; ++o) {
      probability[at + o] /= sum;
    }
    for (int64_t j = 0; j < k; ++j) {
      weight[row * k + j] = probability[at + order[at + j]];
    }
  }
}

// Shazeer et al. 2017, eq. 8-9. An expert stays selected if its score with
// new noise exceeds the k-th largest of the others' scores: that is the
// (k + 1)-th of all for a selected expert and the k-th for the rest.
GMOE_BODY void standardize_body(GateRows<A>& gate) {
  const int64_t width = gate.width;
  const int32_t k = static_cast<int32_t>(gate.top_k);
  for (int64_t row = 0; row < gate.rows; ++row) {
    const A* __restrict__ clean = gate.clean.data() + row * width;
    const A* __restrict__ scale = gate.scale.data() + row * width;
    const A* __restrict__ logits = gate.logits.data() + row * width;
    const int32_t* __restrict__ rank = gate.rank.data() + row * width;
    const int32_t* __restrict__ order = gate.order.data() + row * width;
    A* __restrict__ z = gate.z.data() + row * width;
    const A last = logits[order[k - 1]], next = logits[order[k]];
    for (int64_t o = 0; o < width; ++o) {
      z[o] = (clean[o] - (rank[o] < k ? next : last)) / scale[o];
    }
  }
}

GMOE_BODY void pass_body(GateRows<A>& gate) {
  const A* __restrict__ z = gate.z.data();
  A* __restrict__ load = gate.load.data();
  const int64_t size = gate.rows * gate.width;
  for (int64_t i = 0; i < size; ++i) {
    load[i] = normal_cdf(z[i]);
  }
}

GMOE_BODY void weigh_backward_body(GateRows<A>& gate) {
  const int64_t n = gate.num_experts, width = gate.width, k = gate.top_k;
  for (int64_t row = 0; row < gate.rows; ++row) {
    const A* __restrict__ grad = gate.grad_weight.data() + row * k;
    const A* __restrict__ weight = gate.weight.data() + row * k;
    const int32_t* __restrict__ order = gate.order.data() + row * width;
    A* __restrict__ out = gate.grad_logits.data() + row * width;
    A sum = 0;
    for (int64_t j = 0; j < k; ++j) {
      sum += grad[j] * weight[j];
    }
    if (gate.topk_first) {
      for (int64_t j = 0; j < k; ++j) {
        out[order[j]] += weight[j] * (grad[j] - sum);
      }
      continue;
    }
    const A* __restrict__ p = gate.probability.data() + row * width;
    for (int64_t o = 0; o < n; ++o) {
      out[o] -= p[o] * sum;
    }
    for (int64_t j = 0; j < k; ++j) {
      out[order[j]] += weight[j] * grad[j];
    }
  }
}

GMOE_BODY void pass_backward_body(GateRows<A>& gate) {
  const A* __restrict__ z = gate.z.data();
  const A* __restrict__ scale = gate.scale.data();
  const int32_t* __restrict__ rank = gate.rank.data();
  A* __restrict__ grad = gate.grad_load.data();
  A* __restrict__ grad_clean = gate.grad_clean.data();
  A* __restrict__ grad_scale = gate.grad_raw.data();
  const int64_t n = gate.num_experts, width = gate.width;
  const int64_t size = gate.rows * width;
  const int32_t k = static_cast<int32_t>(gate.top_k);
  for (int64_t i = 0; i < size; ++i) {
    const A score = load_backward(grad[i], z[i], scale[i]);
    grad_clean[i] = score;
    grad_scale[i] = -score * z[i];
    grad[i] = rank[i] < k ? score : A(0); // From here on: of the selected.
  }
  for (int64_t row = 0; row < gate.rows; ++row) {
    const int64_t at = row * width;
    const int32_t* __restrict__ order = gate.order.data() + at;
    A last = 0, next = 0;
    for (int64_t o = at; o < at + n; ++o) {
      next += grad[o];
      last += grad_clean[o] - grad[o];
    }
    gate.grad_logits[at + order[k - 1]] -= last;
    gate.grad_logits[at + order[k]] -= next;
  }
}

GMOE_BODY void perturb_backward_body(GateRows<A>& gate) {
  const A* __restrict__ grad = gate.grad_logits.data();
  const A* __restrict__ noise = gate.noise.data();
  const A* __restrict__ raw = gate.raw.data();
  A* __restrict__ grad_clean = gate.grad_clean.data();
  A* __restrict__ grad_raw = gate.grad_raw.data();
  const int64_t size = gate.rows * gate.width;
  for (int64_t i = 0; i < size; ++i) {
    grad_clean[i] = without_dust(grad_clean[i] + grad[i]);
    grad_raw[i] = raw_backward(grad_raw[i], grad[i], noise[i], raw[i]);
  }
}

} // namespace

#define GMOE_DEFINE_FOR(A, NAME)             \
  GMOE_CLONES void NAME(GateRows<A>& gate) { \
    NAME##_body(gate);                       \
  }
#define GMOE_DEFINE(NAME)        \
  GMOE_DEFINE_FOR(float, NAME)   \
  GMOE_DEFINE_FOR(double, NAME)

GMOE_DEFINE(perturb)
GMOE_DEFINE(rank)
GMOE_DEFINE(weigh)
GMOE_DEFINE(standardize)
GMOE_DEFINE(pass)
GMOE_DEFINE(weigh_backward)
GMOE_DEFINE(pass_backward)
GMOE_DEFINE(perturb_backward)

} // namespace gmoe::cpu

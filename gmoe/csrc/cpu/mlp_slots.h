// The arguments of the experts' networks of two maps on the CPU, and their
// slots ordered by expert.
#pragma once

#include <cstdint>
#include <vector>

#include "../inputs.h"
#include "../routed_mlp.h"

namespace gmoe::cpu {

struct MlpInputs {
  Tensor x, weight1, weight2, bias2, gate, expert, ptr;
  int64_t activation;

  int64_t nodes() const { return x.size(0); }
  int64_t slots() const { return expert.numel(); }
  int64_t experts() const { return weight1.size(0); }
  int64_t hidden() const { return weight1.size(1); }
  int64_t channels() const { return weight1.size(2); }
  int64_t outputs() const { return weight2.size(2); }

  void take(const Arguments& arguments) {
    check_real("x", x, true);
    const ScalarType type = x.scalar_type();
    arguments.take("x", x, type, {kAny, kAny});
    arguments.take("weight1", weight1, type, {kAny, kAny, x.size(1)});
    const int64_t n = experts();
    arguments.take("weight2", weight2, type, {n, hidden(), kAny});
    arguments.take("bias2", bias2, type, {n, outputs()});
    arguments.take("expert", expert, ScalarType::Long, {kAny});
    arguments.take("gate", gate, type, {slots()});
    arguments.take("ptr", ptr, ScalarType::Long, {nodes() + 1});
    check_ptr("ptr", ptr, slots());
    check_ids("expert", expert, n);
    STD_TORCH_CHECK(
        activation >= 0 && activation < kNumActivations,
        "'activation' must be from 0 to ", kNumActivations - 1, ", got ",
        activation);
  }
};

// The slots ordered by expert, those of an expert by node.
struct Order {
  std::vector<int64_t> ptr, node, slot;

  explicit Order(const MlpInputs& in)
      : ptr(in.experts() + 1), node(in.slots()), slot(in.slots()) {
    const int64_t n = in.experts(), S = in.slots();
    const int64_t* expert = in.expert.const_data_ptr<int64_t>();
    const int64_t* begin = in.ptr.const_data_ptr<int64_t>();
    for (int64_t s = 0; s < S; ++s) {
      ++ptr[expert[s] + 1];
    }
    for (int64_t o = 0; o < n; ++o) {
      ptr[o + 1] += ptr[o];
    }
    std::vector<int64_t> next(ptr.begin(), ptr.end() - 1);
    for (int64_t i = 0; i < in.nodes(); ++i) {
      for (int64_t s = begin[i]; s < begin[i + 1]; ++s) {
        const int64_t p = next[expert[s]]++;
        node[p] = i;
        slot[p] = s;
      }
    }
  }

  // The row of each slot's node.
  template <typename T>
  std::vector<T*> rows(T* data, int64_t channels) const {
    std::vector<T*> out(node.size());
    for (size_t p = 0; p < node.size(); ++p) {
      out[p] = data + node[p] * channels;
    }
    return out;
  }
};

} // namespace gmoe::cpu

// The noisy top-k gate on the CPU. Every row is the work of one thread.
#include <algorithm>
#include <vector>

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include "../gate_inputs.h"
#include "gate_rows.h"
#include "inputs.h"

namespace gmoe::cpu {

namespace {

// At least this many scores for a thread of its own.
constexpr int64_t kGrain = 1 << 12;

template <typename T>
void read(
    const Matrix<T>& from, std::vector<acc_t<T>>& out, int64_t first,
    int64_t rows, int64_t size, int64_t width) {
  for (int64_t row = 0; row < rows; ++row) {
    acc_t<T>* to = out.data() + row * width;
    if (from.stride == 1) {
      const T* begin = from.data + (first + row) * from.row_stride;
      std::copy(begin, begin + size, to);
      continue;
    }
    for (int64_t o = 0; o < size; ++o) {
      to[o] = from.at(first + row, o);
    }
  }
}

template <typename T>
void store(
    const std::vector<acc_t<T>>& from, T* out, int64_t first, int64_t rows,
    int64_t size, int64_t width) {
  if (size == width) {
    std::copy(from.data(), from.data() + rows * size, out + first * size);
    return;
  }
  for (int64_t row = 0; row < rows; ++row) {
    const acc_t<T>* begin = from.data() + row * width;
    std::copy(begin, begin + size, out + (first + row) * size);
  }
}

template <typename T>
struct Scores {
  Matrix<T> clean, raw, noise;

  explicit Scores(const GateInputs& in)
      : clean(in.clean), raw(in.raw), noise(in.noise) {}

  // The scores of some rows, perturbed and ranked.
  void load(GateRows<acc_t<T>>& gate, int64_t first, int64_t rows) const {
    const int64_t n = gate.num_experts;
    gate.rows = rows;
    read(clean, gate.clean, first, rows, n, gate.width);
    if (noise.data == nullptr) {
      std::copy(gate.clean.begin(), gate.clean.end(), gate.logits.begin());
    } else {
      read(raw, gate.raw, first, rows, n, gate.width);
      read(noise, gate.noise, first, rows, n, gate.width);
      perturb(gate);
    }
    rank(gate);
  }
};

// Calls f with a block of rows, its first row and the number of its rows.
template <typename A, typename F>
void for_each_block(const GateInputs& in, bool backward, F f) {
  const int64_t grain = std::max<int64_t>(1, kGrain / in.num_experts());
  torch::stable::parallel_for(
      0, in.num_rows(), grain, [&](int64_t begin, int64_t end) {
        GateRows<A> gate(
            in.num_experts(), in.top_k, in.topk_first, backward);
        for (int64_t i = begin; i < end; i += gate.capacity) {
          f(gate, i, std::min(gate.capacity, end - i));
        }
      });
}

struct OnCpu {
  using Guard = cpu::Guard;

  static constexpr int64_t kMaxExperts = kMost;

  template <typename T>
  static void forward(const GateInputs& in, const GateResults<T>& out) {
    const Scores<T> scores(in);
    for_each_block<acc_t<T>>(
        in, false, [&](auto& gate, int64_t first, int64_t rows) {
          const int64_t n = gate.num_experts, k = gate.top_k;
          scores.load(gate, first, rows);
          weigh(gate);
          store(gate.weight, out.weight, first, rows, k, k);
          for (int64_t row = 0; row < rows; ++row) {
            const int32_t* order = gate.order.data() + row * gate.width;
            std::copy(order, order + k, out.expert + (first + row) * k);
          }
          if (out.logits != nullptr) {
            store(gate.logits, out.logits, first, rows, n, gate.width);
          }
          if (out.load != nullptr) {
            standardize(gate);
            pass(gate);
            store(gate.load, out.load, first, rows, n, gate.width);
          }
        });
  }

  template <typename T>
  static void backward(
      const GateInputs& in, const GateIncoming<T>& grad, T* grad_clean,
      T* grad_raw) {
    using A = acc_t<T>;
    const Scores<T> scores(in);
    auto clear = [](std::vector<A>& values) {
      std::fill(values.begin(), values.end(), A(0));
    };
    for_each_block<A>(in, true, [&](auto& gate, int64_t first, int64_t rows) {
      const int64_t n = gate.num_experts, k = gate.top_k, width = gate.width;
      scores.load(gate, first, rows);
      clear(gate.grad_logits);
      if (grad.logits.data != nullptr) {
        read(grad.logits, gate.grad_logits, first, rows, n, width);
      }
      if (grad.weight.data != nullptr) {
        weigh(gate);
        read(grad.weight, gate.grad_weight, first, rows, k, k);
        weigh_backward(gate);
      }
      if (grad_raw == nullptr) {
        store(gate.grad_logits, grad_clean, first, rows, n, width);
        return;
      }
      if (grad.load.data != nullptr) {
        standardize(gate);
        read(grad.load, gate.grad_load, first, rows, n, width);
        pass_backward(gate);
      } else {
        clear(gate.grad_clean);
        clear(gate.grad_raw);
      }
      perturb_backward(gate);
      store(gate.grad_clean, grad_clean, first, rows, n, width);
      store(gate.grad_raw, grad_raw, first, rows, n, width);
    });
  }
};

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CPU, m) {
  m.impl("noisy_topk", TORCH_BOX(&noisy_topk<OnCpu>));
  m.impl("noisy_topk_backward", TORCH_BOX(&noisy_topk_backward<OnCpu>));
}

} // namespace gmoe::cpu

// ReLU and dropout in one pass on the CPU. The mask is a function of the seed
// and the position: nothing is kept for the backward pass but the output.
#include <type_traits>

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include "../relu_dropout.h"
#include "inputs.h"
#include "target.h"

namespace gmoe::cpu {

namespace {

constexpr int kDropBlock = 64; // Counters drawn at a time.

template <typename T>
struct DropLoops {
  void (*drop)(
      T* out, const T* x, int64_t begin, int64_t end, uint64_t seed,
      uint64_t threshold, acc_t<T> scale, bool with_relu);
  void (*pass)(
      T* grad_x, const T* grad, const T* out, int64_t begin, int64_t end,
      acc_t<T> scale);
};

#define GMOE_BODY "dropout_body.h"
#include "per_target.h"
#undef GMOE_BODY

GMOE_DEFINE_LOOPS(DropLoops, drop_loops)

// Begins at multiples of what is drawn at a time, whatever the threads.
template <typename F>
void for_each_part(int64_t size, F f) {
  constexpr int64_t kPart = 4 * kDropBlock * 32;
  const int64_t parts = (size + kPart - 1) / kPart;
  torch::stable::parallel_for(0, parts, 2, [&](int64_t begin, int64_t end) {
    f(begin * kPart, std::min(size, end * kPart));
  });
}

struct OnCpu {
  using Guard = cpu::Guard;

  template <typename T>
  static void drop(
      const Tensor& x, const Tensor& seed, double p, bool with_relu,
      const Tensor& out) {
    const T* from = x.const_data_ptr<T>();
    T* to = out.mutable_data_ptr<T>();
    const uint64_t key =
        static_cast<uint64_t>(seed.const_data_ptr<int64_t>()[0]);
    for_each_part(x.numel(), [&](int64_t begin, int64_t end) {
      drop_loops<T>().drop(
          to, from, begin, end, key, drop_below(p),
          static_cast<acc_t<T>>(1 / (1 - p)), with_relu);
    });
  }

  template <typename T>
  static void pass(
      const Tensor& grad, const Tensor& out, double p, const Tensor& grad_x) {
    const T* from = grad.const_data_ptr<T>();
    const T* kept = out.const_data_ptr<T>();
    T* to = grad_x.mutable_data_ptr<T>();
    for_each_part(grad.numel(), [&](int64_t begin, int64_t end) {
      drop_loops<T>().pass(
          to, from, kept, begin, end, static_cast<acc_t<T>>(1 / (1 - p)));
    });
  }
};

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CPU, m) {
  m.impl("relu_dropout", TORCH_BOX(&relu_dropout<OnCpu>));
  m.impl("relu_dropout_backward", TORCH_BOX(&relu_dropout_backward<OnCpu>));
}

} // namespace gmoe::cpu

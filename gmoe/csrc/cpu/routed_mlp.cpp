// The weighted sum of the experts' two-layer networks on the CPU, for batches
// of few rows. Slots are ordered by expert; the rows of x, of the output and of
// their gradients are read and written where they are. Every element is
// made by one thread, in an order that does not depend on the number of them.
#include <algorithm>
#include <tuple>

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include "few_rows.h"
#include "mlp_slots.h"

namespace gmoe::cpu {

namespace {

// What a thread works on: rows of the weights, or columns of the output.
constexpr int64_t kRows = 16;
constexpr int64_t kColumns = 128;
// At least this many products for a thread of its own.
constexpr int64_t kProducts = 1 << 16;

int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

template <typename T>
struct Mlp {
  const MlpInputs& in;
  const Order order;
  const int64_t n, H, D, O;
  const Activation how;
  const T *x, *weight1, *weight2, *bias2, *gate;
  const FewRows<T>& products;

  explicit Mlp(const MlpInputs& inputs)
      : in(inputs),
        order(inputs),
        n(in.experts()),
        H(in.hidden()),
        D(in.channels()),
        O(in.outputs()),
        how(static_cast<Activation>(in.activation)),
        x(in.x.template const_data_ptr<T>()),
        weight1(in.weight1.template const_data_ptr<T>()),
        weight2(in.weight2.template const_data_ptr<T>()),
        bias2(in.bias2.template const_data_ptr<T>()),
        gate(in.gate.template const_data_ptr<T>()),
        products(few_rows<T>()) {}

  // Calls f(o, h, size) with blocks of the hidden channels of each expert.
  template <typename F>
  void for_each_block(F f) const {
    const int64_t blocks = ceil_div(H, kRows);
    const int64_t work = kRows * D * in.slots() / std::max<int64_t>(1, n);
    torch::stable::parallel_for(
        0, n * blocks, 1 + kProducts / std::max<int64_t>(1, work),
        [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            const int64_t h = i % blocks * kRows;
            f(i / blocks, h, std::min(kRows, H - h));
          }
        });
  }

  // out[i] = sum over the slots of node i of a[slot] @ b[expert] and of
  // gate * bias[expert], if there is a bias. a is (S, H), b (n, H, C).
  void combine(
      T* out, const T* a, const T* b, const T* bias, int64_t C) const {
    const auto to = order.rows(out, C);
    const int64_t blocks = ceil_div(C, kColumns);
    const int64_t work = in.slots() * H * kColumns;
    torch::stable::parallel_for(
        0, blocks, 1 + kProducts / std::max<int64_t>(1, work),
        [&](int64_t begin, int64_t end) {
          const int64_t c = begin * kColumns;
          const int64_t size = std::min(C, end * kColumns) - c;
          for (int64_t i = 0; i < in.nodes(); ++i) {
            std::fill_n(out + i * C + c, size, T(0));
          }
          std::vector<T*> part(to);
          for (T*& row : part) {
            row += c;
          }
          for (int64_t o = 0; o < n; ++o) {
            const int64_t first = order.ptr[o];
            const int64_t rows = order.ptr[o + 1] - first;
            products.add_product(
                part.data() + first, a + first * H, H, rows,
                b + o * H * C + c, C, H, size);
            for (int64_t p = first; bias && p < first + rows; ++p) {
              const T scale = gate[order.slot[p]];
              const T* from = bias + o * C + c;
              for (int64_t d = 0; d < size; ++d) {
                part[p][d] += scale * from[d];
              }
            }
          }
        });
  }

  void forward(const T* bias1, T* hidden, T* out) const {
    std::vector<T> scaled(in.slots() * H);
    const auto row = order.rows(x, D);
    for_each_block([&](int64_t o, int64_t h, int64_t size) {
      const int64_t first = order.ptr[o], last = order.ptr[o + 1];
      products.dots(
          row.data() + first, last - first, weight1 + (o * H + h) * D, size,
          D, hidden + first * H + h, H);
      for (int64_t p = first; p < last; ++p) {
        const T scale = gate[order.slot[p]];
        for (int64_t k = h; k < h + size; ++k) {
          hidden[p * H + k] += bias1[o * H + k];
          scaled[p * H + k] = scale * activate(how, hidden[p * H + k]);
        }
      }
    });
    combine(out, scaled.data(), weight2, bias2, O);
  }

  struct Grads {
    T *x, *weight1, *bias1, *weight2, *bias2, *gate;
  };

  void backward(const T* grad, const T* hidden, const Grads& to) const {
    // Of the hidden rows, and the terms of the gradients of the gates.
    std::vector<T> grad_hidden(in.slots() * H), term(in.slots() * H);
    const auto row = order.rows(x, D);
    const auto grad_row = order.rows(grad, O);
    for_each_block([&](int64_t o, int64_t h, int64_t size) {
      const int64_t first = order.ptr[o], rows = order.ptr[o + 1] - first;
      T* g = grad_hidden.data() + first * H + h;
      std::vector<T> scaled(rows * size);
      products.dots(
          grad_row.data() + first, rows, weight2 + (o * H + h) * O, size, O,
          g, H);
      T* sum = to.bias1 + o * H + h;
      std::fill_n(sum, size, T(0));
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t at = (first + r) * H + h;
        const T scale = gate[order.slot[first + r]];
        for (int64_t k = 0; k < size; ++k) {
          const T before = hidden[at + k], z = activate(how, before);
          T& u = grad_hidden[at + k];
          term[at + k] = z * u;
          scaled[r * size + k] = scale * z;
          u = activate_backward(how, before, scale * u);
          sum[k] += u;
        }
      }
      products.outer(
          to.weight2 + (o * H + h) * O, scaled.data(), size,
          grad_row.data() + first, rows, size, O);
      products.outer(
          to.weight1 + (o * H + h) * D, g, H, row.data() + first, rows, size,
          D);
    });
    for (int64_t o = 0; o < n; ++o) {
      T* sum = to.bias2 + o * O;
      std::fill_n(sum, O, T(0));
      for (int64_t p = order.ptr[o]; p < order.ptr[o + 1]; ++p) {
        const int64_t slot = order.slot[p];
        T total = 0;
        for (int64_t h = 0; h < H; ++h) {
          total += term[p * H + h];
        }
        for (int64_t d = 0; d < O; ++d) {
          sum[d] += gate[slot] * grad_row[p][d];
          total += bias2[o * O + d] * grad_row[p][d];
        }
        to.gate[slot] = total;
      }
    }
    if (to.x != nullptr) {
      combine(to.x, grad_hidden.data(), weight1, nullptr, D);
    }
  }
};

std::tuple<Tensor, Tensor> routed_mlp(
    Tensor x,
    Tensor weight1,
    Tensor bias1,
    Tensor weight2,
    Tensor bias2,
    Tensor gate,
    Tensor expert,
    Tensor ptr,
    int64_t activation) {
  MlpInputs in{x, weight1, weight2, bias2, gate, expert, ptr, activation};
  const Arguments arguments("x", x);
  in.take(arguments);
  arguments.take(
      "bias1", bias1, x.scalar_type(), {in.experts(), in.hidden()});
  Tensor out = torch::stable::new_empty(x, {in.nodes(), in.outputs()});
  Tensor hidden = torch::stable::new_empty(x, {in.slots(), in.hidden()});
  with_wide_type(x.scalar_type(), [&](auto value) {
    using T = decltype(value);
    Mlp<T>(in).forward(
        bias1.template const_data_ptr<T>(),
        hidden.template mutable_data_ptr<T>(),
        out.template mutable_data_ptr<T>());
  });
  return {out, hidden};
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>
routed_mlp_backward(
    Tensor grad,
    Tensor x,
    Tensor hidden,
    Tensor weight1,
    Tensor weight2,
    Tensor bias2,
    Tensor gate,
    Tensor expert,
    Tensor ptr,
    int64_t activation,
    bool needs_x) {
  MlpInputs in{x, weight1, weight2, bias2, gate, expert, ptr, activation};
  const Arguments arguments("x", x);
  in.take(arguments);
  arguments.take(
      "grad", grad, x.scalar_type(), {in.nodes(), in.outputs()});
  arguments.take(
      "hidden", hidden, x.scalar_type(), {in.slots(), in.hidden()});
  Tensor grad_x =
      torch::stable::new_empty(x, {needs_x ? in.nodes() : 0, in.channels()});
  Tensor grad_weight1 = torch::stable::empty_like(in.weight1);
  Tensor grad_bias1 =
      torch::stable::new_empty(x, {in.experts(), in.hidden()});
  Tensor grad_weight2 = torch::stable::empty_like(in.weight2);
  Tensor grad_bias2 = torch::stable::empty_like(in.bias2);
  Tensor grad_gate = torch::stable::empty_like(in.gate);
  with_wide_type(x.scalar_type(), [&](auto value) {
    using T = decltype(value);
    auto data = [](Tensor& t) { return t.template mutable_data_ptr<T>(); };
    Mlp<T>(in).backward(
        grad.template const_data_ptr<T>(), hidden.template const_data_ptr<T>(),
        {needs_x ? data(grad_x) : nullptr, data(grad_weight1),
         data(grad_bias1), data(grad_weight2), data(grad_bias2),
         data(grad_gate)});
  });
  return {
      grad_x, grad_weight1, grad_bias1, grad_weight2, grad_bias2, grad_gate};
}

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CPU, m) {
  m.impl("routed_mlp", TORCH_BOX(&routed_mlp));
  m.impl("routed_mlp_backward", TORCH_BOX(&routed_mlp_backward));
}

} // namespace gmoe::cpu

// Random words by position: the counter-based generator Philox4x32-10 (Salmon
// et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3"), so that every
// element's word is known without the others'.
#pragma once

#include <cstdint>

#include "inputs.h"

namespace gmoe {

constexpr int kPhiloxRounds = 10;
constexpr uint32_t kPhiloxM0 = 0xD2511F53, kPhiloxM1 = 0xCD9E8D57;
constexpr uint32_t kPhiloxW0 = 0x9E3779B9, kPhiloxW1 = 0xBB67AE85;

// A round of a counter's four words under a key, in place.
GMOE_HOST_DEVICE void philox_round(
    uint32_t& c0, uint32_t& c1, uint32_t& c2, uint32_t& c3, uint32_t k0,
    uint32_t k1) {
  const uint64_t p0 = static_cast<uint64_t>(kPhiloxM0) * c0;
  const uint64_t p1 = static_cast<uint64_t>(kPhiloxM1) * c2;
  c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
  c1 = static_cast<uint32_t>(p1);
  c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
  c3 = static_cast<uint32_t>(p0);
}

// An element is kept if its word is at least this: a share 1 - p of them.
GMOE_HOST_DEVICE uint64_t drop_below(double p) {
  return static_cast<uint64_t>(p * 4294967296.0);
}

template <typename A>
GMOE_HOST_DEVICE A dropped(A x, bool keep, A scale) {
  return keep ? x * scale : A(0);
}

// The gradient where the output says that the element came through: it is zero
// where the ReLU or the dropout stopped it.
template <typename A>
GMOE_HOST_DEVICE A dropped_backward(A grad, A out, A scale) {
  const A own = scale * grad;
  return out == A(0) ? A(0) : own;
}

inline void take_dropout(
    const char* name, Tensor& x, Tensor& seed, double p) {
  check_real(name, x, false);
  make_dense(x);
  Arguments(name, x).take("seed", seed, ScalarType::Long, {1});
  STD_TORCH_CHECK(
      p >= 0 && p < 1, "'p' must be at least 0 and less than 1, got ", p);
}

// What was given back of a tensor like grad. Without the ReLU it is not looked
// at.
inline void take_dropped(const Tensor& grad, Tensor& out, bool relu) {
  const Arguments arguments("grad", grad);
  if (!relu) {
    return arguments.check_device("out", out);
  }
  STD_TORCH_CHECK(
      out.scalar_type() == grad.scalar_type() &&
          text_of(out.sizes()) == text_of(grad.sizes()),
      "'out' must have the type and the shape of 'grad', ",
      name_of(grad.scalar_type()), " ", text_of(grad.sizes()), ", got ",
      name_of(out.scalar_type()), " ", text_of(out.sizes()));
  arguments.check_device("out", out);
  make_dense(out);
}

// The ops. What a device does of them is a class `On`: On::Guard(tensor) makes
// the tensor's device the current one, On::drop and On::pass do the work.
template <typename On>
Tensor relu_dropout(Tensor x, Tensor seed, double p, bool relu) {
  take_dropout("x", x, seed, p);
  const typename On::Guard guard(x);
  Tensor out = torch::stable::empty_like(x);
  with_channel_type("x", x.scalar_type(), [&](auto value) {
    On::template drop<decltype(value)>(x, seed, p, relu, out);
  });
  return out;
}

template <typename On>
Tensor relu_dropout_backward(
    Tensor grad, Tensor out, Tensor seed, double p, bool relu) {
  take_dropout("grad", grad, seed, p);
  take_dropped(grad, out, relu);
  const typename On::Guard guard(grad);
  Tensor grad_x = torch::stable::empty_like(grad);
  with_channel_type("grad", grad.scalar_type(), [&](auto value) {
    using T = decltype(value);
    if (relu) {
      On::template pass<T>(grad, out, p, grad_x);
    } else {
      On::template drop<T>(grad, seed, p, false, grad_x);
    }
  });
  return grad_x;
}

} // namespace gmoe

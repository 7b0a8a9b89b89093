// The activations of the experts' two-layer networks.
#pragma once

#include <cmath>

#include "vector.h"

namespace gmoe {

// In the order of gmoe.ops.routed_mlp.ACTIVATIONS.
enum class Activation { kRelu, kGelu, kTanh, kSilu };
constexpr int kNumActivations = 4;

template <typename A>
GMOE_HOST_DEVICE A logistic(A x) {
  return A(1) / (A(1) + std::exp(-x));
}

template <typename A>
GMOE_HOST_DEVICE A activate(Activation how, A x) {
  switch (how) {
    case Activation::kGelu:
      return x * A(0.5) * (A(1) + std::erf(x * A(0.70710678118654752)));
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kSilu:
      return x * logistic(x);
    default:
      return relu(x);
  }
}

// The derivative of the activation times a gradient.
template <typename A>
GMOE_HOST_DEVICE A activate_backward(Activation how, A x, A grad) {
  switch (how) {
    case Activation::kGelu: {
      const A below = A(0.5) * (A(1) + std::erf(x * A(0.70710678118654752)));
      const A density = A(0.39894228040143268) * std::exp(A(-0.5) * x * x);
      return grad * (below + x * density);
    }
    case Activation::kTanh: {
      const A y = std::tanh(x);
      return grad * (A(1) - y * y);
    }
    case Activation::kSilu: {
      const A s = logistic(x);
      return grad * (s * (A(1) + x * (A(1) - s)));
    }
    default:
      return relu_backward(x, grad);
  }
}

} // namespace gmoe

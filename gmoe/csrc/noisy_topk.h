// The scalar functions of the noisy top-k gate.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "vector.h"

namespace gmoe {

template <typename To, typename From>
GMOE_HOST_DEVICE To bits_as(From value) {
  static_assert(sizeof(To) == sizeof(From));
  To out;
  memcpy(&out, &value, sizeof(To));
  return out;
}

// exp(x) for x <= 0. In float32 it is written out, so that loops over it
// become vector code: x = m log(2) + r, and the series of exp(r).
GMOE_HOST_DEVICE double exp_nonpositive(double x) {
  return exp(x);
}
GMOE_HOST_DEVICE float exp_nonpositive(float x) {
  constexpr float kRound = 12582912.0f; // 1.5 * 2^23 rounds what is added.
  const float clamped = x < -87.0f ? -87.0f : x;
  const float shifted = clamped * 1.44269504f + kRound;
  const float m = shifted - kRound;
  // log(2) in two parts, of which m times the first one is exact.
  const float r = (clamped - m * 0.693359375f) + m * 2.12194440e-4f;
  float sum = 1.0f / 5040;
  sum = sum * r + 1.0f / 720;
  sum = sum * r + 1.0f / 120;
  sum = sum * r + 1.0f / 24;
  sum = sum * r + 1.0f / 6;
  sum = sum * r + 0.5f;
  sum = sum * r + 1.0f;
  sum = sum * r + 1.0f;
  const uint32_t exponent = (bits_as<uint32_t>(shifted) + 127) << 23;
  const float out = sum * bits_as<float>(exponent);
  return x < -87.0f ? 0.0f : out;
}

// log(1 + u) for 0 <= u <= 1: in float32 the series of
// 2 artanh(u / (2 + u)).
GMOE_HOST_DEVICE double log1p_of_fraction(double u) {
  return log1p(u);
}
GMOE_HOST_DEVICE float log1p_of_fraction(float u) {
  const float s = u / (2.0f + u);
  const float t = s * s;
  float sum = 1.0f / 15;
  sum = sum * t + 1.0f / 13;
  sum = sum * t + 1.0f / 11;
  sum = sum * t + 1.0f / 9;
  sum = sum * t + 1.0f / 7;
  sum = sum * t + 1.0f / 5;
  sum = sum * t + 1.0f / 3;
  return 2.0f * s + 2.0f * s * t * sum;
}

// log(1 + exp(x))
template <typename A>
GMOE_HOST_DEVICE A softplus(A x) {
  const A size = x < A(0) ? -x : x;
  return (x > A(0) ? x : A(0)) + log1p_of_fraction(exp_nonpositive(-size));
}

// The derivative of softplus.
template <typename A>
GMOE_HOST_DEVICE A sigmoid(A x) {
  const A e = exp_nonpositive(x < A(0) ? x : -x);
  return (x < A(0) ? e : A(1)) / (A(1) + e);
}

// The scale of the noise.
template <typename A>
GMOE_HOST_DEVICE A noise_scale(A raw) {
  return softplus(raw) + A(0.01);
}

// The probability that a standard normal variable is below z.
GMOE_HOST_DEVICE double normal_cdf(double z) {
  return 0.5 * erfc(-z * 0.70710678118654752);
}
GMOE_HOST_DEVICE float normal_cdf(float z) {
  float a = z < 0.0f ? -z : z;
  a = a > 100.0f ? 100.0f : a;
  // (1 + a) exp(a^2 / 2) times the tail beyond a is smooth in y, which maps
  // all a >= 0 to [-1, 1): the Chebyshev interpolant of degree 11.
  const float y = (a - 2.5f) / (a + 2.5f);
  float sum = 3.544761134e-05f;
  sum = sum * y - 1.678227005e-05f;
  sum = sum * y - 2.747100110e-04f;
  sum = sum * y - 6.941879873e-05f;
  sum = sum * y + 1.287078841e-03f;
  sum = sum * y + 1.322148478e-03f;
  sum = sum * y - 6.052516870e-03f;
  sum = sum * y - 8.708513095e-03f;
  sum = sum * y + 4.606333355e-02f;
  sum = sum * y - 3.771595266e-02f;
  sum = sum * y - 9.158749198e-02f;
  sum = sum * y + 4.946596518e-01f;
  const float tail = exp_nonpositive(-0.5f * a * a) * sum / (1.0f + a);
  return z < 0.0f ? tail : 1.0f - tail;
}

// The density of a standard normal variable.
template <typename A>
GMOE_HOST_DEVICE A normal_pdf(A z) {
  return A(0.39894228040143268) * exp_nonpositive(A(-0.5) * z * z);
}

// Zero in place of what is too small to matter to a sum in float32: products
// of such numbers are denormal, and matrix products many times slower.
GMOE_HOST_DEVICE double without_dust(double x) {
  return x;
}
GMOE_HOST_DEVICE float without_dust(float x) {
  return x > -1e-30f && x < 1e-30f ? 0.0f : x;
}

// The gradient of a score's load goes to its clean score and, times -z, to its
// scale: z is the score's distance from the threshold, in scales.
template <typename A>
GMOE_HOST_DEVICE A load_backward(A grad, A z, A scale) {
  return grad * normal_pdf(z) / scale;
}

// From the gradients of the scale and of the score with noise.
template <typename A>
GMOE_HOST_DEVICE A raw_backward(A grad_scale, A grad, A noise, A raw) {
  return without_dust((grad_scale + grad * noise) * sigmoid(raw));
}

// Integers in the order of the scores. As in torch.sort, both zeros are equal
// and NaN is above all.
GMOE_HOST_DEVICE int32_t sort_key(float x) {
  const int32_t bits = bits_as<int32_t>(x + 0.0f);
  return x != x ? INT32_MAX : bits ^ ((bits >> 31) & INT32_MAX);
}
GMOE_HOST_DEVICE int64_t sort_key(double x) {
  const int64_t bits = bits_as<int64_t>(x + 0.0);
  return x != x ? INT64_MAX : bits ^ ((bits >> 63) & INT64_MAX);
}

} // namespace gmoe

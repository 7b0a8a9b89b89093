// Loops over the channels of a row, compiled for several instruction sets and
// chosen when the program starts.
#pragma once

#include <cstdint>

#include "../vector.h"

// Clang and other platforms compile the plain loop.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && \
    !defined(__clang__)
#define GMOE_CLONES                                          \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define GMOE_CLONES
#endif

namespace gmoe::cpu {

// out += weight * relu(message)
GMOE_CLONES void add_message(
    float* out, Message<float> m, float weight, int64_t size);
GMOE_CLONES void add_message(
    double* out, Message<double> m, double weight, int64_t size);

// out += weight * grad where the message is positive
GMOE_CLONES void add_masked(
    float* out, Message<float> m, const float* grad, float weight,
    int64_t size);
GMOE_CLONES void add_masked(
    double* out, Message<double> m, const double* grad, double weight,
    int64_t size);

template <typename T>
void add_message(
    acc_t<T>* out, Message<T> m, acc_t<T> weight, int64_t size) {
  for (int64_t d = 0; d < size; ++d) {
    out[d] += weight * relu(m.at(d));
  }
}

template <typename T>
void add_masked(
    acc_t<T>* out, Message<T> m, const T* grad, acc_t<T> weight,
    int64_t size) {
  for (int64_t d = 0; d < size; ++d) {
    out[d] += weight * relu_backward(m.at(d), static_cast<acc_t<T>>(grad[d]));
  }
}

} // namespace gmoe::cpu

// Slots among the arguments of an op, and the choice of types.
#pragma once

#include "check.h"
#include "vector.h"

namespace gmoe {

// So many slots, ordered by expert.
inline void take_slots(
    const Arguments& arguments, Tensor& node, Tensor& expert,
    int64_t num_slots, int64_t num_nodes, int64_t num_experts) {
  check_integer("node", node);
  const ScalarType index = node.scalar_type();
  arguments.take("node", node, index, {num_slots});
  arguments.take("expert", expert, index, {node.size(0)});
  check_ids("node", node, num_nodes);
  check_ids("expert", expert, num_experts);
  check_rising("expert", expert);
}

// Calls f with a value of a type of channels.
template <typename F>
void with_channel_type(const char* name, ScalarType type, F f) {
  switch (type) {
    case ScalarType::Float:
      return f(float());
    case ScalarType::Double:
      return f(double());
    case ScalarType::Half:
      return f(torch::headeronly::Half());
    case ScalarType::BFloat16:
      return f(torch::headeronly::BFloat16());
    default:
      STD_TORCH_CHECK(
          false, "'", name,
          "' must be float32, float64, float16 or bfloat16, got ",
          name_of(type));
  }
}

// Calls f with a value of a type that check_real has taken for a wide one.
template <typename F>
void with_wide_type(ScalarType type, F f) {
  type == ScalarType::Float ? f(float()) : f(double());
}

template <typename F>
void with_index_type(ScalarType type, F f) {
  STD_TORCH_CHECK(
      type == ScalarType::Long || type == ScalarType::Int,
      "indices must be int32 or int64, got ", name_of(type));
  type == ScalarType::Long ? f(int64_t()) : f(int32_t());
}

// Calls f with a value of the type of the channels and one of the indices.
template <typename F>
void dispatch(ScalarType type, ScalarType index, F f) {
  with_index_type(index, [&](auto index_value) {
    with_channel_type("x", type, [&](auto value) { f(value, index_value); });
  });
}

} // namespace gmoe

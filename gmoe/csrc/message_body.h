// The arithmetic of a message, included inside a namespace that has packs of
// channels: load(row + place, pack), add(row + place, pack), active(pack),
// add_active(sum, scale, pack, active) and add_scaled(sum, scale, pack).

// pack = x + term1 + term2
template <typename T, typename Place, typename Pack>
GMOE_HOST_DEVICE void load_message(
    const Message<T>& message, Place at, Pack& pack) {
  load(message.x + at, pack);
  if (message.term1 != nullptr) {
    add(message.term1 + at, pack);
  }
  if (message.term2 != nullptr) {
    add(message.term2 + at, pack);
  }
}

// sum += weight * relu(message). Returns where the ReLU let it through.
template <typename T, typename Place, typename Pack>
GMOE_HOST_DEVICE auto add_message(
    Pack& sum, const Message<T>& message, Place at) {
  Pack z;
  load_message(message, at, z);
  const auto on = active(z);
  add_active(sum, message.weight, z, on);
  return on;
}

// sum += weight * grad where the ReLU let the message through.
template <typename T, typename Place, typename Pack, typename Active>
GMOE_HOST_DEVICE void add_grad(
    Pack& sum, const T* grad, Place at, acc_t<T> weight, const Active& on) {
  Pack g;
  load(grad + at, g);
  add_active(sum, weight, g, on);
}

// sum += scale * row
template <typename T, typename Place, typename Pack>
GMOE_HOST_DEVICE void add_own(
    Pack& sum, const T* row, Place at, acc_t<T> scale) {
  Pack z;
  load(row + at, z);
  add_scaled(sum, scale, z);
}

// The products and the messages of graph convolutions on the CPU, expert by
// expert, so that transformed rows never leave a buffer of one expert.
#pragma once

#include "gcn_rows.h"
#include "linear.h"
#include "parameter_grad.h"

namespace gmoe::cpu {

struct GcnInputs {
  Tensor x, weight, root, node, expert;
  HopInputs hops;

  void take(const Arguments& arguments) {
    check_real("x", x, true);
    check_integer("node", node);
    const ScalarType type = x.scalar_type(), index = node.scalar_type();
    arguments.take("x", x, type, {kAny, kAny});
    const int64_t n = hops.num_experts();
    arguments.take("weight", weight, type, {n, x.size(1), kAny});
    const int64_t D = weight.size(2);
    arguments.take("root", root, type, {n, D});
    STD_TORCH_CHECK(
        hops.front().root_weight.has_value(),
        "'root_weight' must be given, got None");
    hops.take(arguments, type, index, D);
    const int64_t N = hops.num_nodes();
    STD_TORCH_CHECK(
        x.size(0) == N, "'x' must have ", N, " rows, got ", x.size(0));
    take_slots(arguments, node, expert, kAny, N, n);
  }

  template <typename T, typename Index>
  RoutedMessage<T, Index> view() const {
    RoutedMessage<T, Index> op{};
    op.node = node.const_data_ptr<Index>();
    op.expert = expert.const_data_ptr<Index>();
    op.root = root.const_data_ptr<T>();
    op.num_slots = node.numel();
    op.num_experts = weight.size(0);
    op.channels = weight.size(2);
    hops.fill(op);
    return op;
  }
};

// Experts that are worked on at once: one, with the rows that it needs, or
// several, each with all rows, interleaved: row j * size + o - first.
struct Group {
  int64_t first, size;
  bool all;
};

template <typename T, typename Index>
class Experts {
 public:
  explicit Experts(const GcnInputs& in)
      : in_(in),
        op_(in.template view<T, Index>()),
        message_(message_ptr(op_)),
        expert_(expert_ptr(op_)),
        needed_(op_, expert_),
        x_(in.x) {
    int64_t most = 0;
    for (int64_t o = 0; o < op_.num_experts; ++o) {
      most = std::max(most, needed_.count(o));
    }
    gathered_ = torch::stable::new_empty(in.x, {padded(in.x, most), in.x.size(1)});
  }

  const std::vector<int64_t>& message() const {
    return message_;
  }

  void forward(T* out, uint32_t* mask) {
    for (const Group& group : groups()) {
      const Tensor rows = product(
          group.all ? in_.x : gather_input(group.first), weight(group));
      RoutedMessage<T, Index> op = op_;
      op.x = rows.const_data_ptr<T>();
      op.own_rows = true;
      op.row_of = needed_.row_of.get();
      if (group.all) {
        op.x -= group.first * op.channels;
        op.num_experts = group.size;
        op.row_of = nullptr;
      }
      cpu::forward(
          op, message_, expert_[group.first],
          expert_[group.first + group.size], out, mask);
    }
  }

  // The gradient of x, unless it is not needed; the others' go to where they
  // belong.
  Tensor backward(
      const T* grad, const uint32_t* mask, bool needs_x,
      const Tensor& grad_weight, const ParameterGrads<T>& grads) {
    const Saved<T, Index> saved{op_, message_, mask, grad};
    std::vector<Transposed<T, Index>> edges;
    for (int h = 0; h < op_.num_hops; ++h) {
      edges.emplace_back(op_.hop[h], op_.num_nodes);
    }
    Tensor grad_x =
        torch::stable::new_zeros(in_.x, {in_.x.size(0), in_.x.size(1)});
    for (int64_t o = 0; o < op_.num_experts; ++o) {
      if (expert_[o] == expert_[o + 1]) { // The products write the others'.
        fill_with_zeros<T>(grad_weight, o);
      }
    }
    for (const Group& group : groups()) {
      const Tensor rows = grad_rows(saved, edges, group);
      add_grad_weight(group, rows, grad_weight);
      if (needs_x) {
        grad_x = add_grad_x(group, rows, grad_x);
      }
    }
    parameter_grads(saved, expert_, grads);
    return grad_x;
  }

 private:
  // Experts without slots are left out. Several at once are fewer and larger
  // products, as long as their rows stay in the cache.
  std::vector<Group> groups() const {
    constexpr int64_t kCache = 16 << 20;
    const int64_t bytes =
        std::max<int64_t>(1, op_.num_nodes * op_.channels * sizeof(T));
    const int64_t most = std::max<int64_t>(1, kCache / bytes);
    std::vector<Group> out;
    for (int64_t o = 0; o < op_.num_experts; ++o) {
      if (expert_[o] == expert_[o + 1]) {
        continue;
      }
      const bool joins = needed_.all[o] && !out.empty() && out.back().all &&
          out.back().first + out.back().size == o && out.back().size < most;
      if (joins) {
        ++out.back().size;
      } else {
        out.push_back({o, 1, needed_.all[o] != 0});
      }
    }
    return out;
  }

  // The weights of a group side by side, (D_in, size * D).
  Tensor weight(const Group& group) const {
    if (group.size == 1) {
      return torch::stable::select(in_.weight, 0, group.first);
    }
    const int64_t D = op_.channels, channels = in_.x.size(1);
    const Tensor out =
        torch::stable::new_empty(in_.weight, {channels, group.size * D});
    copy_weights(
        group, in_.weight.template const_data_ptr<T>(),
        out.mutable_data_ptr<T>(), [](const T* one, T* joint, int64_t size) {
          std::copy(one, one + size, joint);
        });
    return out;
  }

  // Calls copy(row of an expert's weight, where it is side by side, size).
  template <typename One, typename Joint, typename F>
  void copy_weights(
      const Group& group, One* one, Joint* joint, const F& copy) const {
    const int64_t D = op_.channels, channels = in_.x.size(1);
    for (int64_t o = 0; o < group.size; ++o) {
      One* from = one + (group.first + o) * channels * D;
      for (int64_t c = 0; c < channels; ++c) {
        copy(from + c * D, joint + (c * group.size + o) * D, D);
      }
    }
  }

  // The needed nodes' features, and zeros in rows that only pad them.
  Tensor gather_input(int64_t o) {
    const int64_t channels = in_.x.size(1), size = needed_.count(o);
    T* to = gathered_.template mutable_data_ptr<T>();
    gather(
        in_.x.template const_data_ptr<T>(), needed_.node[o], channels, to);
    const int64_t all = padded(in_.x, size);
    std::fill(to + size * channels, to + all * channels, T(0));
    return rows(gathered_, 0, all);
  }

  Tensor grad_rows(
      const Saved<T, Index>& saved,
      const std::vector<Transposed<T, Index>>& edges, const Group& group) {
    std::vector<SlotOf<Index>> slots;
    for (int64_t o = group.first; o < group.first + group.size; ++o) {
      slots.emplace_back(
          op_.node, expert_[o], expert_[o + 1], op_.num_nodes);
    }
    const int64_t D = op_.channels;
    const int64_t size = group.all ? op_.num_nodes * group.size
                                   : needed_.count(group.first);
    const int64_t all = group.all ? size : padded(in_.x, size);
    const Tensor rows = torch::stable::new_empty(
        in_.x, {all / group.size, group.size * D});
    T* out = rows.mutable_data_ptr<T>();
    auto build = [&](int64_t r, std::vector<Masked<T>>& terms) {
      const int64_t j =
          group.all ? r / group.size : needed_.node[group.first][r];
      const int64_t member = group.all ? r % group.size : 0;
      const auto& hop = op_.hop_of(group.first + member);
      edges[&hop - op_.hop].collect(saved, hop, j, slots[member], terms);
    };
    auto run = [&](int64_t r, const std::vector<Masked<T>>& terms) {
      blocks<T>().sum_masked(
          out + r * D, terms.data(), static_cast<int64_t>(terms.size()), D);
    };
    torch::stable::parallel_for(
        0, size, grain(4 * D), [&](int64_t begin, int64_t end) {
          pipeline<Masked<T>>(begin, end, build, run);
        });
    std::fill(out + size * D, out + all * D, T(0));
    return rows;
  }

  void add_grad_weight(
      const Group& group, const Tensor& rows, const Tensor& grad_weight) {
    if (!group.all) {
      Factor(gather_input(group.first))
          .multiply_transposed(
              torch::stable::select(grad_weight, 0, group.first), rows);
      return;
    }
    if (group.size == 1) {
      x_.multiply_transposed(
          torch::stable::select(grad_weight, 0, group.first), rows);
      return;
    }
    const Tensor joint = torch::stable::new_empty(
        in_.weight, {in_.x.size(1), group.size * op_.channels});
    x_.multiply_transposed(joint, rows);
    copy_weights(
        group, grad_weight.mutable_data_ptr<T>(), joint.const_data_ptr<T>(),
        [](T* one, const T* joint, int64_t size) {
          std::copy(joint, joint + size, one);
        });
  }

  Tensor add_grad_x(
      const Group& group, const Tensor& rows, const Tensor& grad_x) {
    if (group.all) {
      return product(rows, transposed(weight(group)), grad_x);
    }
    const Tensor part = product(rows, transposed(weight(group)));
    scatter_add(
        part.const_data_ptr<T>(), needed_.node[group.first], in_.x.size(1),
        grad_x.mutable_data_ptr<T>());
    return grad_x;
  }

  const GcnInputs& in_;
  const RoutedMessage<T, Index> op_;
  const std::vector<int64_t> message_, expert_;
  const NeededRows<Index> needed_;
  Factor x_;
  Tensor gathered_; // Of one expert at a time.
};

} // namespace gmoe::cpu

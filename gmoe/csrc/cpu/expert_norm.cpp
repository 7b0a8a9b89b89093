// Batch normalisation of routed rows on the CPU, expert by expert, and their
// weighted sum at each node, for which normalised rows are never written.
#include "../expert_norm.h"

#include <torch/csrc/stable/library.h>

#include "inputs.h"
#include "message.h"
#include "norm.h"

namespace gmoe::cpu {

namespace {

template <typename T>
class ExpertNorm {
 public:
  using A = acc_t<T>;

  ExpertNorm(const NormInputs& in, const Tensor& ptr, bool measure)
      : h_(in.h.const_data_ptr<T>()),
        channels_(in.channels()) {
    const int64_t* bound = ptr.const_data_ptr<int64_t>();
    ptr_.assign(bound, bound + ptr.numel());
    const int64_t D = channels_;
    for (int64_t o = 0; o < in.num_experts(); ++o) {
      if (measure && size(o) > 1) { // One row has no variance.
        mean_and_variance(
            row(ptr_[o]), size(o), D, in.mean.mutable_data_ptr<A>() + o * D,
            in.var.mutable_data_ptr<A>() + o * D);
      }
      affine_.emplace_back(
          in.mean.const_data_ptr<A>() + o * D,
          in.var.const_data_ptr<A>() + o * D,
          in.gamma.const_data_ptr<T>() + o * D,
          in.beta.const_data_ptr<T>() + o * D, D, in.eps);
    }
  }

  void apply(bool relu, T* out) const {
    for_each_part([&](int64_t o, int64_t begin, int64_t end) {
      const A* scale = affine_[o].scale.data();
      const A* shift = affine_[o].shift.data();
      for (int64_t r = begin; r < end; ++r) {
        const T* from = row(r);
        T* to = out + r * channels_;
        if (relu) {
          norm_loops<T>().relu_affine(to, from, scale, shift, channels_);
          continue;
        }
        for (int64_t d = 0; d < channels_; ++d) {
          to[d] = static_cast<T>(
              normalized(static_cast<A>(from[d]), scale[d], shift[d]));
        }
      }
    });
  }

  template <typename Index>
  void combine(
      const WeightedSlots& slots, int64_t num_nodes, T* out) const {
    const int64_t D = channels_;
    const Index* expert = slots.expert.const_data_ptr<Index>();
    const A* weight = slots.weight.const_data_ptr<A>();
    const Grouped by_node(
        slots.node.const_data_ptr<Index>(), 0, slots.node.numel(),
        num_nodes);
    torch::stable::parallel_for(
        0, num_nodes, grain(4 * D), [&](int64_t begin, int64_t end) {
          std::vector<A> sum(D);
          for (int64_t i = begin; i < end; ++i) {
            std::fill(sum.begin(), sum.end(), A(0));
            for (int64_t q = by_node.ptr[i]; q < by_node.ptr[i + 1]; ++q) {
              const int64_t s = by_node.position[q];
              add_affine(expert[s], s, weight[s], sum.data());
            }
            std::copy(sum.begin(), sum.end(), out + i * D);
          }
        });
  }

  template <typename Incoming>
  void backward(
      const Incoming& incoming, bool training,
      const NormGradients& out) const {
    const int64_t D = channels_;
    for (int64_t o = 0; o < num_experts(); ++o) {
      const int64_t first = ptr_[o];
      NormBackward backward{
          affine_[o],
          row(first),
          size(o),
          D,
          incoming.relu,
          training && size(o) > 1,
          [=](int64_t r) { return incoming.row(first + r, D); },
          [=](int64_t r) { return incoming.factor(first + r); }};
      backward.reduce(
          out.gamma.mutable_data_ptr<T>() + o * D,
          out.beta.mutable_data_ptr<T>() + o * D);
      backward.apply(out.h.mutable_data_ptr<T>() + first * D);
    }
  }

  template <typename Incoming>
  void grad_weight(const Incoming& incoming, A* out) const {
    const int64_t D = channels_;
    for_each_part([&](int64_t o, int64_t begin, int64_t end) {
      const Affine<T>& affine = affine_[o];
      for (int64_t s = begin; s < end; ++s) {
        out[s] = norm_loops<T>().dot_affine(
            row(s), incoming.row(s, D), affine.scale.data(),
            affine.shift.data(), D);
      }
    });
  }

 private:
  int64_t num_experts() const {
    return static_cast<int64_t>(affine_.size());
  }
  int64_t size(int64_t o) const {
    return ptr_[o + 1] - ptr_[o];
  }
  const T* row(int64_t r) const {
    return h_ + r * channels_;
  }

  // Calls f with an expert and the bounds of some of its rows.
  template <typename F>
  void for_each_part(const F& f) const {
    for (int64_t o = 0; o < num_experts(); ++o) {
      for_each_chunk(size(o), [&](int64_t, int64_t begin, int64_t end) {
        f(o, ptr_[o] + begin, ptr_[o] + end);
      });
    }
  }

  void add_affine(int64_t o, int64_t r, A weight, A* sum) const {
    norm_loops<T>().add_affine(
        sum, row(r), weight, affine_[o].scale.data(),
        affine_[o].shift.data(), channels_);
  }

  const T* h_;
  int64_t channels_;
  std::vector<int64_t> ptr_;
  std::vector<Affine<T>> affine_;
};

struct OnCpu {
  using Guard = cpu::Guard;

  template <typename T>
  using Norm = ExpertNorm<T>;

  template <typename Index>
  static Tensor expert_ptr(const Tensor& expert, int64_t num_experts) {
    Tensor out =
        torch::stable::new_zeros(expert, {num_experts + 1}, ScalarType::Long);
    int64_t* ptr = out.mutable_data_ptr<int64_t>();
    const Index* data = expert.const_data_ptr<Index>();
    for (int64_t s = 0; s < expert.numel(); ++s) {
      ++ptr[data[s] + 1];
    }
    std::partial_sum(ptr, ptr + num_experts + 1, ptr);
    return out;
  }
};

} // namespace

STABLE_TORCH_LIBRARY_IMPL(gmoe, CPU, m) {
  m.impl("expert_norm", TORCH_BOX(&expert_norm<OnCpu>));
  m.impl("expert_norm_backward", TORCH_BOX(&expert_norm_backward<OnCpu>));
  m.impl("norm_combine", TORCH_BOX(&norm_combine<OnCpu>));
  m.impl("norm_combine_backward", TORCH_BOX(&norm_combine_backward<OnCpu>));
}

} // namespace gmoe::cpu

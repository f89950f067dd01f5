#include "lathe/train/step/gradient_reducer.h"

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "lathe/dist/shard_tree.h"

namespace lathe::train {
namespace {

namespace ag = torch::autograd;

/// Consecutive elements of the flat gradient.
struct Bucket {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  int missing = 0;  ///< gradients that have yet to be added, and replicas that have yet to say so
};

/// In the order in which backward passes complete them: weights from the last layer to the first,
/// then what has no weight decay, of which every layer has some.
std::vector<Bucket> make_buckets(const nn::Parameters& parameters, std::int64_t size) {
  std::vector<Bucket> buckets;
  const auto cut = [&](std::int64_t begin, std::int64_t end) {
    for (; end > begin; end -= std::min(size, end - begin)) {
      buckets.push_back({std::max(begin, end - size), end});
    }
  };
  cut(0, parameters.num_decayed());
  cut(parameters.num_decayed(), parameters.size());
  return buckets;
}

/// The gradient-adding nodes that a backward from `root` reaches.
template <typename Visit>
void each_reached(const std::shared_ptr<ag::Node>& root,
                  const std::unordered_map<const ag::Node*, std::size_t>& wanted,
                  const Visit& visit) {
  std::unordered_set<const ag::Node*> seen{root.get()};
  std::vector<const ag::Node*> open{root.get()};
  while (!open.empty()) {
    const ag::Node* node = open.back();
    open.pop_back();
    const auto found = wanted.find(node);
    if (found != wanted.end()) visit(found->second);
    for (const ag::Edge& edge : node->next_edges()) {
      if (edge.function && seen.insert(edge.function.get()).second) {
        open.push_back(edge.function.get());
      }
    }
  }
}

}  // namespace

struct GradientReducer::State {
  /// A parameter of one replica.
  struct Leaf {
    std::shared_ptr<ag::Node> accumulator;  // which adds its gradient; lives as long as we do
    std::size_t first_bucket = 0, last_bucket = 0;
  };
  struct Replica {
    std::vector<Leaf> leaves;
    std::unordered_map<const ag::Node*, std::size_t> by_node;
    bool in_last_backward = false;
  };

  State(nn::Parameters& p, dist::ProcessGroup& g, std::int64_t bucket_size)
      : parameters(p), group(g), buckets(make_buckets(p, bucket_size)) {}

  void find_leaves();
  void begin_last_backward(Replica& replica, const std::shared_ptr<ag::Node>& root);
  void added(int replica, std::size_t leaf);
  void start_complete();
  std::vector<at::Tensor> parts(std::int64_t begin, std::int64_t end) const;

  nn::Parameters& parameters;
  dist::ProcessGroup& group;
  std::mutex mutex;  // of all below, during backward
  std::vector<Bucket> buckets;
  std::vector<Replica> replicas;
  /// The same on every rank: first the buckets that the last backward doesn't reach.
  std::vector<std::size_t> order;
  std::vector<dist::ProcessGroup::Pending> started;  // the first of `order`
};

namespace {

/// Tells when a node has added a gradient.
class AddedHook final : public ag::FunctionPostHook {
 public:
  explicit AddedHook(std::function<void()> call) : call_(std::move(call)) {}
  ag::variable_list operator()(const ag::variable_list& outputs,
                               const ag::variable_list& /*inputs*/) override {
    call_();
    return outputs;
  }

 private:
  std::function<void()> call_;
};

}  // namespace

void GradientReducer::State::find_leaves() {
  replicas.resize(static_cast<std::size_t>(parameters.replicas()));
  for (int r = 0; r < parameters.replicas(); ++r) {
    Replica& replica = replicas[static_cast<std::size_t>(r)];
    const at::Tensor& flat = parameters.grads(r);
    for (const std::string& name : parameters.names()) {
      const at::Tensor part = parameters.part(flat, name);
      const std::int64_t begin = part.storage_offset() - flat.storage_offset();
      Leaf leaf{.accumulator = ag::impl::grad_accumulator(parameters.leaf(name, r))};
      leaf.first_bucket = buckets.size();
      for (std::size_t b = 0; b < buckets.size(); ++b) {
        if (begin < buckets[b].end && buckets[b].begin < begin + part.numel()) {
          leaf.first_bucket = std::min(leaf.first_bucket, b);
          leaf.last_bucket = b;
        }
      }
      replica.by_node[leaf.accumulator.get()] = replica.leaves.size();
      replica.leaves.push_back(std::move(leaf));
    }
  }
}

void GradientReducer::State::begin_last_backward(Replica& replica,
                                                 const std::shared_ptr<ag::Node>& root) {
  std::vector<int> gradients(buckets.size(), 0);
  each_reached(root, replica.by_node, [&](std::size_t i) {
    const Leaf& leaf = replica.leaves[i];
    for (std::size_t b = leaf.first_bucket; b <= leaf.last_bucket; ++b) {
      ++gradients[b];
    }
  });
  const std::lock_guard lock(mutex);
  if (order.empty()) {
    for (const bool reached : {false, true}) {
      for (std::size_t b = 0; b < buckets.size(); ++b) {
        if ((gradients[b] > 0) == reached) order.push_back(b);
      }
    }
  }
  for (std::size_t b = 0; b < buckets.size(); ++b) {
    buckets[b].missing += gradients[b] - 1;
  }
  replica.in_last_backward = true;
  start_complete();
}

void GradientReducer::State::added(int replica, std::size_t leaf) {
  const std::lock_guard lock(mutex);
  const Replica& of = replicas[static_cast<std::size_t>(replica)];
  if (!of.in_last_backward) return;
  for (std::size_t b = of.leaves[leaf].first_bucket; b <= of.leaves[leaf].last_bucket; ++b) {
    --buckets[b].missing;
  }
  start_complete();
}

/// In `order` alone, as all ranks must.
void GradientReducer::State::start_complete() {
  while (started.size() < order.size() && buckets[order[started.size()]].missing == 0) {
    const Bucket& bucket = buckets[order[started.size()]];
    started.push_back(group.all_reduce_sum(parts(bucket.begin, bucket.end)));
  }
}

std::vector<at::Tensor> GradientReducer::State::parts(std::int64_t begin, std::int64_t end) const {
  std::vector<at::Tensor> result;
  for (int r = 0; r < parameters.replicas(); ++r) {
    result.push_back(parameters.grads(r).narrow(0, begin, end - begin));
  }
  return result;
}

GradientReducer::GradientReducer(nn::Parameters& parameters, dist::ProcessGroup& group,
                                 const GradientReducerOptions& options) {
  if (options.bucket_bytes < 1) {
    throw std::invalid_argument("[train::GradientReducer] bucket_bytes must be > 0, got " +
                                std::to_string(options.bucket_bytes));
  }
  const std::int64_t elements =
      std::max<std::int64_t>(1, options.bucket_bytes / parameters.grads().element_size());
  state_ = std::make_shared<State>(parameters, group, elements);
  if (group.world_size() == 1) return;  // nothing to begin early: finish() adds with all threads
  state_->find_leaves();
  for (int r = 0; r < parameters.replicas(); ++r) {
    const auto& leaves = state_->replicas[static_cast<std::size_t>(r)].leaves;
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      leaves[i].accumulator->add_post_hook(
          std::make_unique<AddedHook>([weak = std::weak_ptr<State>(state_), r, i] {
            if (const std::shared_ptr<State> state = weak.lock()) state->added(r, i);
          }));
    }
  }
}

GradientReducer::~GradientReducer() = default;

void GradientReducer::begin() {
  State& state = *state_;
  state.order.clear();
  state.started.clear();
  for (Bucket& bucket : state.buckets) {
    bucket.missing = state.parameters.replicas();
  }
  for (State::Replica& replica : state.replicas) {
    replica.in_last_backward = false;
  }
}

void GradientReducer::begin_last_backward(int replica, const at::Tensor& loss) {
  if (state_->replicas.empty()) return;
  state_->begin_last_backward(state_->replicas.at(static_cast<std::size_t>(replica)),
                              loss.grad_fn());
}

void GradientReducer::finish(nn::Workers& workers) {
  State& state = *state_;
  if (state.replicas.empty()) {
    const std::int64_t size = state.parameters.size();
    workers.run([&](int worker) {
      const std::int64_t begin = size * worker / workers.count();
      const std::int64_t end = size * (worker + 1) / workers.count();
      dist::sum_by_tree(state.parts(begin, end), dist::Others::kZero);
    });
    return;
  }
  if (state.started.size() != state.buckets.size()) {
    throw std::logic_error("[train::GradientReducer] a replica's last backward is not over");
  }
  for (dist::ProcessGroup::Pending& pending : state.started) {
    pending.wait();
  }
}

}  // namespace lathe::train

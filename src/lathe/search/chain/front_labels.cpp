#include "lathe/search/chain/front_labels.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>
#include <utility>

#include "lathe/search/chain/staircase.h"
#include "lathe/space/min_sum.h"

namespace lathe::search::front {
namespace {

using space::kInfinity;
// Relative: sums from both ends of a path differ by less. What is left out by bounds of the rest is
// left out by that much at least, so that no point of the front is.

struct Label {
  double latency;
  double error;
  Back back;
};

/// What a way has used of each limit; 0 where there are fewer.
using Loads = std::array<double, kMostLimits>;

/// A label of three or four costs.
struct LimitedLabel {
  double latency;
  double error;
  Loads loads;
  Back back;
};

/// Of a path with the least `first`, its `second`; added up as labels are, so that no path has less
/// to the last bit. Infinity if no path can be taken.
double at_least_first(const space::Trellis& trellis, std::span<const double> first,
                      std::span<const double> second) {
  std::vector<std::pair<double, double>> least(trellis.num_states(), {kInfinity, kInfinity});
  least.front() = {0, 0};
  for (std::uint32_t t = 0; t < trellis.num_transitions(); ++t) {
    const space::Transition& transition = trellis.transition(t);
    const std::pair<double, double> through{least[transition.from].first + first[t],
                                            least[transition.from].second + second[t]};
    if (std::isfinite(through.first) && std::isfinite(through.second) &&
        through < least[transition.to]) {
      least[transition.to] = through;
    }
  }
  return least.back().second;
}

/// Between the front's two ends alone labels matter: what can't become better than the fastest path
/// in error, or than the best in latency, is left out.
class Bounds {
 public:
  Bounds(const space::Trellis& trellis, const Costs& costs, bool all_paths_allowed)
      : rest_error_(space::suffix_minima(trellis, costs.error)),
        rest_latency_(space::suffix_minima(trellis, costs.latency)) {
    if (all_paths_allowed) {
      most_error_ =
          at_least_first(trellis, costs.latency, costs.error) + rounding_of(trellis, costs.error);
      most_latency_ =
          at_least_first(trellis, costs.error, costs.latency) + rounding_of(trellis, costs.latency);
    }
  }

  bool reaches_end(std::uint32_t state) const {
    return rest_error_[state] < kInfinity && rest_latency_[state] < kInfinity;
  }
  /// Of a state's labels.
  double most_error(std::uint32_t state) const { return most_error_ - rest_error_[state]; }
  double most_latency(std::uint32_t state) const { return most_latency_ - rest_latency_[state]; }

 private:
  std::vector<double> rest_error_;
  std::vector<double> rest_latency_;
  double most_error_ = kInfinity;
  double most_latency_ = kInfinity;
};

/// Where part `i` of `parts` begins among so many labels.
std::ptrdiff_t part(std::ptrdiff_t count, std::size_t i, std::size_t parts) {
  return count * static_cast<std::ptrdiff_t>(i) / static_cast<std::ptrdiff_t>(parts);
}

/// Both ascend in latency and fall in error; so does what is written to `out`, the non-dominated of
/// both. Of equals the one of `a` stays. Without a branch that depends on which comes first.
Label* merge(const Label* a, const Label* a_end, const Label* b, const Label* b_end, Label* out) {
  double least = kInfinity;
  while (a != a_end && b != b_end) {
    const bool first =
        (a->latency < b->latency) | ((a->latency == b->latency) & (a->error <= b->error));
    const Label* const next = first ? a : b;
    a += first ? 1 : 0;
    b += first ? 0 : 1;
    *out = *next;
    const bool kept = next->error < least;
    out += kept ? 1 : 0;
    least = kept ? next->error : least;
  }
  const auto copy_rest = [&](const Label* at, const Label* end) {
    at = std::partition_point(at, end, [&](const Label& l) { return !(l.error < least); });
    out = std::copy(at, end, out);
  };
  copy_rest(a, a_end);
  copy_rest(b, b_end);
  return out;
}

/// Labels of states with two costs: each state's transitions bring a sorted list, and lists are
/// merged two by two.
class PlainStates {
 public:
  using LabelType = Label;

  PlainStates(const space::Trellis& trellis, const Costs& costs)
      : trellis_(trellis), costs_(costs), bounds_(trellis, costs, true) {}

  static std::vector<Label> start() { return {{.latency = 0, .error = 0, .back = {}}}; }

  /// The labels of `state`, from those of the layer before.
  std::vector<Label> labels(std::uint32_t state, const std::vector<std::vector<Label>>& before,
                            std::uint32_t first_before) {
    lists_.clear();
    ends_.clear();
    if (!bounds_.reaches_end(state)) {
      return {};
    }
    const double most_latency = bounds_.most_latency(state);
    const double most_error = bounds_.most_error(state);
    for (std::uint32_t t = trellis_.first_arriving(state); t < trellis_.first_arriving(state + 1);
         ++t) {
      const double latency = costs_.latency[t];
      const double error = costs_.error[t];
      if (!std::isfinite(latency) || !std::isfinite(error)) {
        continue;
      }
      const std::vector<Label>& from = before[trellis_.transition(t).from - first_before];
      const auto first = std::partition_point(
          from.begin(), from.end(), [&](const Label& l) { return l.error + error > most_error; });
      const auto last = std::partition_point(
          first, from.end(), [&](const Label& l) { return l.latency + latency <= most_latency; });
      if (first == last) {
        continue;
      }
      auto previous = static_cast<std::uint32_t>(first - from.begin());
      std::size_t out = lists_.size();
      lists_.resize(out + static_cast<std::size_t>(last - first));
      for (auto at = first; at != last; ++at) {
        lists_[out++] = {.latency = at->latency + latency,
                         .error = at->error + error,
                         .back = {.transition = t, .previous = previous++}};
      }
      ends_.push_back(out);
    }
    while (ends_.size() > 1) {
      merge_round();
    }
    return lists_;
  }

  static void thin(std::vector<Label>& labels, const Thinning& thinning) {
    std::vector<Label> kept;
    const auto count = static_cast<std::ptrdiff_t>(labels.size());
    for (std::size_t bin = 0; bin < thinning.most; ++bin) {
      const auto first = static_cast<std::size_t>(part(count, bin, thinning.most));
      const auto last = static_cast<std::size_t>(part(count, bin + 1, thinning.most)) - 1;
      const bool best = thinning.keep == Thinning::Keep::kSome && bin + 1 == thinning.most;
      kept.push_back(labels[best ? last : first]);
      if (thinning.keep == Thinning::Keep::kBound) {
        kept.back().error = labels[last].error;
      }
    }
    labels = std::move(kept);
  }

  static FrontPoint point(const Label& label) {
    return {.latency = label.latency, .error = label.error};
  }

 private:
  void merge_round() {
    merged_.resize(lists_.size());
    Label* out = merged_.data();
    const Label* const all = lists_.data();
    std::vector<std::size_t> ends;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < ends_.size(); i += 2) {
      const std::size_t middle = ends_[i];
      const std::size_t end = i + 1 < ends_.size() ? ends_[i + 1] : middle;
      out = merge(all + begin, all + middle, all + middle, all + end, out);
      ends.push_back(static_cast<std::size_t>(out - merged_.data()));
      begin = end;
    }
    merged_.resize(ends.back());
    std::swap(lists_, merged_);
    std::swap(ends_, ends);
  }

  const space::Trellis& trellis_;
  const Costs& costs_;
  Bounds bounds_;
  std::vector<Label> lists_;
  std::vector<Label> merged_;
  std::vector<std::size_t> ends_;  // of each list in lists_
};

/// The greatest sum of `limited` from each state to the end, over transitions that can be taken.
std::vector<double> suffix_maxima(const space::Trellis& trellis, const Costs& costs,
                                  std::span<const double> limited) {
  std::vector<double> maxima(trellis.num_states(), -kInfinity);
  maxima.back() = 0;
  for (std::uint32_t t = trellis.num_transitions(); t-- > 0;) {
    const space::Transition& transition = trellis.transition(t);
    if (std::isfinite(costs.error[t]) && std::isfinite(costs.latency[t])) {
      maxima[transition.from] =
          std::max(maxima[transition.from], limited[t] + maxima[transition.to]);
    }
  }
  return maxima;
}

/// The labels of a state that were kept so far, by ascending latency.
class Kept {
 public:
  /// `all`: those that may come.
  Kept(std::span<const LimitedLabel> all, std::size_t num_limits) {
    if (num_limits > 1) {
      std::vector<double> errors;
      for (const LimitedLabel& label : all) {
        errors.push_back(label.error);
      }
      of_two_limits_.emplace(std::move(errors));
    }
  }

  /// Whether none that was kept is at most this in everything; then it is kept.
  bool keep(double error, const Loads& loads) {
    if (of_two_limits_) {
      if (of_two_limits_->covers(error, loads[0], loads[1])) {
        return false;
      }
      of_two_limits_->insert(error, loads[0], loads[1]);
      return true;
    }
    if (of_one_limit_.covers(error, loads[0])) {
      return false;
    }
    of_one_limit_.insert(error, loads[0]);
    return true;
  }

 private:
  Staircase of_one_limit_;
  std::optional<Staircase3> of_two_limits_;
};

/// Labels of states with further costs that are limited.
class LimitedStates {
 public:
  using LabelType = LimitedLabel;

  LimitedStates(const space::Trellis& trellis, const Costs& costs)
      : trellis_(trellis), costs_(costs), bounds_(trellis, costs, false) {
    for (const LimitedCost& limited : costs.limits) {
      limits_.push_back({.costs = limited.costs,
                         .limit = limited.limit,
                         .slack = rounding_of(trellis, limited.costs),
                         .least_rest = space::suffix_minima(trellis, limited.costs),
                         .most_rest = suffix_maxima(trellis, costs, limited.costs)});
    }
  }

  static std::vector<LimitedLabel> start() {
    return {{.latency = 0, .error = 0, .loads = {}, .back = {}}};
  }

  std::vector<LimitedLabel> labels(std::uint32_t state,
                                   const std::vector<std::vector<LimitedLabel>>& before,
                                   std::uint32_t first_before) {
    if (!bounds_.reaches_end(state)) {
      return {};
    }
    all_.clear();
    for (std::uint32_t t = trellis_.first_arriving(state); t < trellis_.first_arriving(state + 1);
         ++t) {
      if (!std::isfinite(costs_.latency[t]) || !std::isfinite(costs_.error[t])) {
        continue;
      }
      const auto& from = before[trellis_.transition(t).from - first_before];
      for (std::uint32_t i = 0; i < from.size(); ++i) {
        if (const auto loads = loads_after(from[i].loads, t, state)) {
          all_.push_back({.latency = from[i].latency + costs_.latency[t],
                          .error = from[i].error + costs_.error[t],
                          .loads = *loads,
                          .back = {.transition = t, .previous = i}});
        }
      }
    }
    std::ranges::stable_sort(all_, [](const LimitedLabel& a, const LimitedLabel& b) {
      return std::tie(a.latency, a.error, a.loads) < std::tie(b.latency, b.error, b.loads);
    });
    const bool last = state + 1 == trellis_.num_states();
    std::vector<LimitedLabel> kept;
    Kept known(all_, limits_.size());
    for (const LimitedLabel& label : all_) {
      if (last && !within_limits(label.loads)) {
        continue;  // by the rounding that was allowed for
      }
      if (known.keep(label.error, last ? Loads{} : label.loads)) {
        kept.push_back(label);
      }
    }
    return kept;
  }

  /// In slabs of neighbouring latencies, and these in bins of neighbouring first loads.
  static void thin(std::vector<LimitedLabel>& labels, const Thinning& thinning) {
    const auto slabs = static_cast<std::size_t>(std::sqrt(static_cast<double>(thinning.most)));
    const std::size_t bins = thinning.most / slabs;
    const auto count = static_cast<std::ptrdiff_t>(labels.size());
    std::vector<LimitedLabel> kept;
    for (std::size_t slab = 0; slab < slabs; ++slab) {
      const auto slab_begin = labels.begin() + part(count, slab, slabs);
      const auto slab_end = labels.begin() + part(count, slab + 1, slabs);
      std::stable_sort(slab_begin, slab_end, [](const LimitedLabel& a, const LimitedLabel& b) {
        return a.loads[0] < b.loads[0];
      });
      for (std::size_t bin = 0; bin < bins; ++bin) {
        const auto begin = slab_begin + part(slab_end - slab_begin, bin, bins);
        const auto end = slab_begin + part(slab_end - slab_begin, bin + 1, bins);
        if (begin == end) {
          continue;
        }
        kept.push_back(*std::min_element(
            begin, end, [](const auto& a, const auto& b) { return a.error < b.error; }));
        for (auto at = begin; at != end && thinning.keep == Thinning::Keep::kBound; ++at) {
          kept.back().latency = std::min(kept.back().latency, at->latency);
          for (std::size_t i = 0; i < kMostLimits; ++i) {
            kept.back().loads[i] = std::min(kept.back().loads[i], at->loads[i]);
          }
        }
      }
    }
    labels = std::move(kept);
  }

  static FrontPoint point(const LimitedLabel& label) {
    return {.latency = label.latency, .error = label.error};
  }

 private:
  struct Limit {
    std::span<const double> costs;
    double limit = 0.0;
    double slack = 0.0;
    std::vector<double> least_rest;  // of each state, to the end
    std::vector<double> most_rest;
  };

  /// With transition `t` to `state`; nothing if no way on is within the limits.
  std::optional<Loads> loads_after(Loads loads, std::uint32_t t, std::uint32_t state) const {
    for (std::size_t i = 0; i < limits_.size(); ++i) {
      const Limit& limit = limits_[i];
      // Below this load every way on is within the limit: such labels are alike.
      const double free = limit.limit - limit.most_rest[state] - limit.slack;
      loads[i] = std::max(loads[i] + limit.costs[t], free);
      if (!(loads[i] + limit.least_rest[state] <= limit.limit + limit.slack)) {
        return std::nullopt;
      }
    }
    return loads;
  }

  bool within_limits(const Loads& loads) const {
    for (std::size_t i = 0; i < limits_.size(); ++i) {
      if (loads[i] > limits_[i].limit) {
        return false;
      }
    }
    return true;
  }

  const space::Trellis& trellis_;
  const Costs& costs_;
  Bounds bounds_;
  std::vector<Limit> limits_;
  std::vector<LimitedLabel> all_;
};

template <typename States>
std::optional<Labels> labels_of(const space::Trellis& trellis, States states,
                                const Thinning& thinning, std::size_t max_labels) {
  using Of = std::vector<typename States::LabelType>;
  Labels result;
  const auto store = [&](const Of& of_state) {
    result.first_back.push_back(result.backs.size());
    for (const auto& label : of_state) {
      result.backs.push_back(label.back);
    }
  };
  std::vector<Of> before{States::start()};
  store(before.front());
  for (std::size_t layer = 1; layer <= trellis.num_steps(); ++layer) {
    std::vector<Of> here;
    for (std::uint32_t i = 0; i < trellis.layer_size(layer); ++i) {
      here.push_back(
          states.labels(trellis.first_state(layer) + i, before, trellis.first_state(layer - 1)));
      if (thinning.keep != Thinning::Keep::kAll && layer < trellis.num_steps() &&
          here.back().size() > thinning.most) {
        States::thin(here.back(), thinning);
      }
      store(here.back());
      if (result.backs.size() > max_labels) {
        return std::nullopt;
      }
    }
    before = std::move(here);
  }
  result.first_back.push_back(result.backs.size());
  for (const auto& label : before.front()) {
    result.ends.push_back(States::point(label));
  }
  return result;
}

}  // namespace

space::Path Labels::path(const space::Trellis& trellis, std::uint32_t end) const {
  space::Path path(trellis.num_steps());
  std::uint32_t state = trellis.num_states() - 1;
  std::uint32_t label = end;
  for (std::size_t s = path.size(); s-- > 0;) {
    const Back& back = backs[first_back[state] + label];
    path[s] = back.transition;
    label = back.previous;
    state = trellis.transition(back.transition).from;
  }
  return path;
}

std::optional<Labels> front_labels(const space::Trellis& trellis, const Costs& costs,
                                   const Thinning& thinning, std::size_t max_labels) {
  return costs.limits.empty()
             ? labels_of(trellis, PlainStates(trellis, costs), thinning, max_labels)
             : labels_of(trellis, LimitedStates(trellis, costs), thinning, max_labels);
}

}  // namespace lathe::search::front

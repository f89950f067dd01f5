#include "lathe/search/all_targets/exchange_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>
#include <unordered_set>
#include <utility>

#include "lathe/search/all_targets/budget_program.h"
#include "lathe/search/all_targets/exchange_units.h"

namespace lathe::search {
namespace {

// The constants below were chosen on the published phone table and predictor, at 6,000 and 40,000
// predictions for ten targets, by random search over their values; docs/multi_target.md has the
// figures.

// Limits beside the targets: nets between targets are stepping stones to them.
constexpr std::size_t kExtraLimits = 4;
// A program proposes nets for at most this many limits, spread over all: more of them would be
// predictions of nearly equal nets.
constexpr std::size_t kProposals = 16;
// Steps that go on from a target's net; the others from any limit's.
constexpr double kTargetShare = 0.8;

// In units of the typical gain of an exchange: what leaving the net costs per exchange, so that the
// program trusts gains less the more of them it combines.
constexpr float kReluctances[] = {0.0F, 0.35F, 1.0F};
// A neighbour is predicted if its effect promises no loss beyond this; a faster one may lose more.
constexpr float kTolerance = 0.5F;
constexpr float kToleranceIfFaster = 1.2F;

// How quickly averaged gains follow the newest; those of dead blocks, which are only estimated,
// less so.
constexpr float kFollow = 0.5F;
constexpr float kFollowDead = 0.05F;
constexpr float kAveragedShare = 0.5F;  // of the averages in the far-reaching program's gains

// The search starts with programs on effects averaged over mutants: the large shape of the
// landscape rather than the slope at a point.
constexpr int kSmoothedSteps = 45;
constexpr int kMutants = 16;
constexpr double kMutantRate = 0.1;

// A constraint that a program's nets break gets a price, in typical gains for the whole of what is
// allowed; it rises while they break it and falls while none does.
constexpr float kFirstPrice = 5.0F;
constexpr float kPriceRise = 1.5F;
constexpr float kPriceFall = 0.8F;

constexpr double kKickRate = 0.1;  // mutation of a good net once all of them were looked at
constexpr int kIdleSteps = 50;     // in a row without a new net: there are none left

enum class Origin { kStart, kSmoothedProgram, kExchange, kProgram, kKick };

std::string text_of(Origin origin) {
  switch (origin) {
    case Origin::kStart:
      return "as the starting net";
    case Origin::kSmoothedProgram:
      return "by dynamic programming on averaged effects";
    case Origin::kExchange:
      return "by one exchange";
    case Origin::kProgram:
      return "by dynamic programming on exchange gains";
    case Origin::kKick:
      return "by mutation";
  }
  return {};
}

void check(const Problem& problem, std::span<const double> targets_ms,
           const ExchangeOptions& options) {
  const auto refuse = [](const std::string& what) {
    throw std::invalid_argument("[search::ExchangeSearch] " + what);
  };
  if (problem.chain() == nullptr || problem.latency_costs() == nullptr) {
    refuse("latency must be a sum over the slots of the space");
  }
  if (targets_ms.empty()) {
    refuse("targets_ms must not be empty");
  }
  if (!problem.fastest() || !(problem.fastest()->predicted_ms <= targets_ms.front())) {
    refuse("targets_ms must not be below the fastest net, got " +
           std::to_string(targets_ms.front()));
  }
  if (options.ranked < 1 || options.bins < 2) {
    refuse("ranked must be >= 1 and bins >= 2, got " + std::to_string(options.ranked) + " and " +
           std::to_string(options.bins));
  }
}

/// The targets and, evenly from the fastest net to the slowest target, some more.
std::vector<double> limits_with(std::span<const double> targets_ms, double fastest_ms) {
  std::vector<double> limits(targets_ms.begin(), targets_ms.end());
  for (std::size_t i = 0; i < kExtraLimits; ++i) {
    limits.push_back(fastest_ms + (targets_ms.back() - fastest_ms) *
                                      (static_cast<double>(i) + 0.5) / kExtraLimits);
  }
  std::ranges::sort(limits);
  limits.erase(std::unique(limits.begin(), limits.end()), limits.end());
  return limits;
}

}  // namespace

class ExchangeSearch::Impl {
 public:
  Impl(const Problem& problem, std::vector<double> targets_ms, const ExchangeOptions& options,
       Rng rng)
      : problem_(problem),
        rng_(rng),
        units_(problem.space(), *problem.chain()),
        program_(problem.chain()->trellis(), problem.chain()->costs(*problem.latency_costs()),
                 targets_ms.back(), options.bins),
        archive_(limits_with(targets_ms, problem.fastest()->predicted_ms),
                 static_cast<std::size_t>(options.ranked)),
        average_(units_.size(), 0.0F),
        averaged_(units_.num_units(), false),
        constraints_(problem.additive_constraints()),
        prices_(constraints_.size(), 0.0F) {
    for (const auto& [costs, most] : constraints_) {
      constraint_costs_.push_back(problem.chain()->costs(*costs));
    }
    for (const double target_ms : targets_ms) {
      const auto found = std::ranges::lower_bound(archive_.limits_ms(), target_ms);
      target_limits_.push_back(static_cast<std::size_t>(found - archive_.limits_ms().begin()));
    }
  }

  bool step(std::int64_t max_evaluations) {
    left_ = max_evaluations;
    const std::size_t before = archive_.all().size();
    if (before == 0) {
      expand(start(), Origin::kStart);
    } else if (smoothed_steps_ < kSmoothedSteps && has_effects_) {
      ++smoothed_steps_;
      std::vector<space::Arch> proposals;
      propose_smoothed(any_ranked(), proposals);
      predict(proposals, Origin::kSmoothedProgram);
      return true;
    } else if (const auto next = next_to_expand()) {
      expand(space::Arch(archive_[*next].arch), Origin::kExchange);
    } else {
      expand(problem_.space().mutate(any_ranked(), kKickRate, rng_), Origin::kKick);
    }
    idle_steps_ = archive_.all().size() == before ? idle_steps_ + 1 : 0;
    return idle_steps_ < kIdleSteps;
  }

  const Archive& archive() const { return archive_; }
  std::span<const std::size_t> ranking(std::size_t t) const {
    return archive_.ranking(target_limits_.at(t));
  }
  std::string provenance(std::size_t index) const {
    return text_of(origins_.at(index)) + ", prediction " + std::to_string(index + 1);
  }

 private:
  // The middle of the space where that can be predicted: gains are most telling there.
  space::Arch start() const {
    space::Arch middle = problem_.space().smallest();
    for (std::size_t i = 0; i < middle.choices.size(); ++i) {
      middle.choices[i] =
          static_cast<std::uint8_t>(problem_.space().decisions()[i].num_choices() / 2);
    }
    middle = problem_.space().canonical(std::move(middle));
    return possible(middle) ? middle : problem_.fastest()->arch;
  }

  /// Allowed, and of known latency.
  bool possible(const space::Arch& arch) const {
    return std::isfinite(problem_.latency_costs()->total(arch)) && problem_.allowed(arch);
  }

  void predict(std::vector<space::Arch>& archs, Origin origin) {
    std::unordered_set<space::Arch> twice;
    std::erase_if(archs, [&](const space::Arch& arch) {
      return archive_.contains(arch) || !twice.insert(arch).second;
    });
    archs.resize(
        std::min(archs.size(), static_cast<std::size_t>(std::max<std::int64_t>(0, left_))));
    left_ -= static_cast<std::int64_t>(archs.size());
    std::vector<double> accuracies(archs.size());
    problem_.predict_accuracy(archs, accuracies);
    for (std::size_t i = 0; i < archs.size(); ++i) {
      const double predicted_ms = problem_.latency_costs()->total(archs[i]);
      archive_.add({.arch = std::move(archs[i]),
                    .predicted_ms = predicted_ms,
                    .predicted_accuracy = accuracies[i]});
      origins_.push_back(origin);
      expanded_.push_back(0);
    }
  }

  // The best-ranked net, over all limits, that was not looked at yet.
  std::optional<std::size_t> next_to_expand() {
    const bool targets_only = rng_.bernoulli(kTargetShare);
    const std::size_t limits = targets_only ? target_limits_.size() : archive_.limits_ms().size();
    const std::size_t first = rng_.below(static_cast<std::uint32_t>(limits));
    std::optional<std::size_t> best;
    std::size_t best_rank = std::numeric_limits<std::size_t>::max();
    for (std::size_t i = 0; i < limits && best_rank > 0; ++i) {
      const std::size_t at = (first + i) % limits;
      const auto ranking = archive_.ranking(targets_only ? target_limits_[at] : at);
      for (std::size_t rank = 0; rank < std::min(best_rank, ranking.size()); ++rank) {
        if (expanded_[ranking[rank]] == 0) {
          best = ranking[rank];
          best_rank = rank;
        }
      }
    }
    return best;
  }

  const space::Arch& any_ranked() {
    const std::size_t limits = archive_.limits_ms().size();
    const std::size_t first = rng_.below(static_cast<std::uint32_t>(limits));
    for (std::size_t i = 0; i < limits; ++i) {
      const auto ranking = archive_.ranking((first + i) % limits);
      if (!ranking.empty()) {
        return archive_[ranking[rng_.below(static_cast<std::uint32_t>(ranking.size()))]].arch;
      }
    }
    return problem_.fastest()->arch;
  }

  // What a program finds with the effects around `net`, averaged over mutants.
  void propose_smoothed(const space::Arch& net, std::vector<space::Arch>& proposals) {
    std::vector<space::Arch> mutants;
    for (int i = 0; i < kMutants; ++i) {
      mutants.push_back(problem_.space().mutate(net, kMutantRate, rng_));
    }
    const std::vector<float> effects = problem_.accuracy().choice_effects(mutants);
    const std::size_t width = effects.size() / mutants.size();
    std::vector<float> mean(width, 0.0F);
    for (std::size_t i = 0; i < effects.size(); ++i) {
      mean[i % width] += effects[i] / static_cast<float>(mutants.size());
    }
    propose(units_.from_effects(mean), proposals);
  }

  void expand(const space::Arch& net, Origin origin) {
    std::vector<space::Arch> self{net};
    if (possible(net)) {
      predict(self, origin);
    }
    const auto index = archive_.find(net);
    if (!index) {
      return;
    }
    expanded_[*index] = 1;
    const std::vector<float> gains = gains_at(net, archive_[*index].predicted_accuracy);
    update_averages(net, gains);
    std::vector<space::Arch> proposals;
    for (const float reluctance : kReluctances) {
      std::vector<float> values = gains;
      discourage(net, reluctance * typical_gain_, values);
      propose(values, proposals);
    }
    std::vector<float> blended = gains;
    for (std::size_t u = 0; u < units_.num_units(); ++u) {
      const float mean = mean_of(gains, u);
      for (std::size_t p = units_.first(u); p < end_of(u); ++p) {
        blended[p] = kAveragedShare * average_[p] + (1 - kAveragedShare) * (gains[p] - mean);
      }
    }
    propose(blended, proposals);
    predict(proposals, Origin::kProgram);
  }

  std::size_t end_of(std::size_t unit) const {
    return units_.first(unit) + static_cast<std::size_t>(units_.num_options(unit));
  }
  float mean_of(std::span<const float> values, std::size_t unit) const {
    float sum = 0;
    for (std::size_t p = units_.first(unit); p < end_of(unit); ++p) {
      sum += values[p];
    }
    return sum / static_cast<float>(units_.num_options(unit));
  }

  // What each option would gain over the net's own: predicted where that is worth it, otherwise by
  // the effects, or by the averages so far.
  std::vector<float> gains_at(const space::Arch& net, double accuracy) {
    const std::vector<float> effects = problem_.accuracy().choice_effects(std::span(&net, 1));
    has_effects_ = !effects.empty();
    std::vector<float> gains = has_effects_ ? units_.from_effects(effects) : average_;
    std::vector<std::pair<std::size_t, space::Arch>> neighbours;
    const double net_ms = problem_.latency_costs()->total(net);
    for (std::size_t u = 0; u < units_.num_units(); ++u) {
      const bool alive = units_.alive(net, u);
      // Dead blocks come to life with choice 0 when the depth is exchanged.
      const int own = alive ? units_.option(net, u) : 0;
      const float base = gains[units_.first(u) + static_cast<std::size_t>(own)];
      for (std::size_t p = units_.first(u); p < end_of(u); ++p) {
        gains[p] -= base;
      }
      for (int o = 0; alive && o < units_.num_options(u); ++o) {
        const std::size_t p = units_.first(u) + static_cast<std::size_t>(o);
        space::Arch neighbour = units_.exchanged(net, u, o);
        if (o != own && possible(neighbour) && promising(gains[p], neighbour, net_ms)) {
          neighbours.emplace_back(p, std::move(neighbour));
        }
      }
    }
    std::vector<space::Arch> archs;
    for (const auto& [pair, arch] : neighbours) {
      archs.push_back(arch);
    }
    predict(archs, Origin::kExchange);
    std::vector<float> sizes;
    for (const auto& [pair, arch] : neighbours) {
      if (const auto index = archive_.find(arch)) {
        gains[pair] = static_cast<float>(archive_[*index].predicted_accuracy - accuracy);
        sizes.push_back(std::abs(gains[pair]));
      }
    }
    if (typical_gain_ == 0 && !sizes.empty()) {
      const auto middle = sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() / 2);
      std::ranges::nth_element(sizes, middle);
      typical_gain_ = *middle;
    }
    return gains;
  }

  bool promising(float gain, const space::Arch& neighbour, double net_ms) const {
    if (!has_effects_ || typical_gain_ == 0) {
      return true;
    }
    const bool faster = problem_.latency_costs()->total(neighbour) < net_ms;
    return gain >= -(faster ? kToleranceIfFaster : kTolerance) * typical_gain_;
  }

  void update_averages(const space::Arch& net, std::span<const float> gains) {
    for (std::size_t u = 0; u < units_.num_units(); ++u) {
      const float mean = mean_of(gains, u);
      float follow = units_.alive(net, u) ? kFollow : kFollowDead;
      if (!averaged_[u]) {
        averaged_[u] = true;
        follow = 1;
      }
      for (std::size_t p = units_.first(u); p < end_of(u); ++p) {
        average_[p] += follow * (gains[p] - mean - average_[p]);
      }
    }
  }

  void discourage(const space::Arch& net, float amount, std::span<float> values) const {
    for (std::size_t u = 0; u < units_.num_units(); ++u) {
      if (units_.alive(net, u)) {
        values[units_.first(u) + static_cast<std::size_t>(units_.option(net, u))] += amount;
      }
    }
  }

  // Adds the best nets by `values` for the limits, or for as many of them as kProposals.
  void propose(std::span<const float> values, std::vector<space::Arch>& proposals) {
    units_.score_transitions(values, scores_);
    charge_prices();
    program_.solve(scores_);
    const auto& limits = archive_.limits_ms();
    const std::size_t stride = (limits.size() + kProposals - 1) / kProposals;
    const std::size_t first =
        stride > 1 ? rng_.below(static_cast<std::uint32_t>(stride)) : std::size_t{0};
    std::vector<space::Arch> found;
    for (std::size_t i = first; i < limits.size(); i += stride) {
      if (const auto path = program_.best(limits[i])) {
        space::Arch arch = problem_.chain()->arch(*path);
        found.push_back(arch);
        proposals.push_back(problem_.allowed(arch)
                                ? std::move(arch)
                                : problem_.repaired(std::move(arch), limits[i], rng_).arch);
      }
    }
    adjust_prices(found);
  }

  void charge_prices() {
    for (std::size_t c = 0; c < constraints_.size(); ++c) {
      const double most = constraints_[c].second;
      for (std::size_t t = 0; prices_[c] > 0 && t < scores_.size(); ++t) {
        scores_[t] -= prices_[c] * static_cast<float>(constraint_costs_[c][t] / most);
      }
    }
  }

  void adjust_prices(std::span<const space::Arch> found) {
    for (std::size_t c = 0; c < constraints_.size(); ++c) {
      const auto& [costs, most] = constraints_[c];
      // Named anew, since C++20 doesn't let every compiler capture a binding by reference.
      const auto broken =
          std::ranges::count_if(found, [&costs = costs, &most = most](const space::Arch& arch) {
            return costs->total(arch) > most;
          });
      if (broken > 0) {
        prices_[c] = std::max(prices_[c] * kPriceRise, kFirstPrice * typical_gain_);
      } else {
        prices_[c] *= kPriceFall;
      }
    }
  }

  const Problem& problem_;
  Rng rng_;
  ExchangeUnits units_;
  BudgetProgram program_;
  Archive archive_;
  std::vector<std::size_t> target_limits_;  // index of each target among the archive's limits
  std::vector<Origin> origins_;             // of each net of the archive
  std::vector<char> expanded_;              // of each net of the archive
  std::vector<float> average_;              // centred gains of each pair
  std::vector<bool> averaged_;              // of each unit: whether there are any yet
  std::vector<std::pair<const space::SlotCosts*, double>> constraints_;
  std::vector<std::vector<double>> constraint_costs_;  // of each transition
  std::vector<float> prices_;                          // of each constraint
  std::vector<float> scores_;                          // of each transition
  float typical_gain_ = 0;
  bool has_effects_ = true;
  int smoothed_steps_ = 0;
  int idle_steps_ = 0;
  std::int64_t left_ = 0;  // predictions that the present step may still make
};

ExchangeSearch::ExchangeSearch(const Problem& problem, std::vector<double> targets_ms,
                               const ExchangeOptions& options, Rng rng) {
  check(problem, targets_ms, options);
  impl_ = std::make_unique<Impl>(problem, std::move(targets_ms), options, rng);
}
ExchangeSearch::~ExchangeSearch() = default;
ExchangeSearch::ExchangeSearch(ExchangeSearch&&) noexcept = default;

bool ExchangeSearch::step(std::int64_t max_evaluations) { return impl_->step(max_evaluations); }
const Archive& ExchangeSearch::archive() const { return impl_->archive(); }
std::span<const std::size_t> ExchangeSearch::ranking(std::size_t t) const {
  return impl_->ranking(t);
}
std::string ExchangeSearch::provenance(std::size_t index) const { return impl_->provenance(index); }

}  // namespace lathe::search

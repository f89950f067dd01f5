#include "lathe/search/all_targets/budget_program.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "lathe/core/isa.h"
#include "lathe/space/min_sum.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define LATHE_X86_DISPATCH 1
#endif

namespace lathe::search {
namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();
constexpr double kRoundingOfSums = 1e-12;  // relative: sums from both ends of a path differ by this
constexpr int kTries = 8;  // paths that turn out too slow before a limit is given up

// Where `score` plus the way's own beats what is known, takes the way.
[[gnu::always_inline]] inline void relax_range(const float* __restrict score, float gain,
                                               std::uint32_t way, std::int32_t count,
                                               float* __restrict best,
                                               std::uint32_t* __restrict choice) {
  for (std::int32_t b = 0; b < count; ++b) {
    const float through = score[b] + gain;
    const bool better = through > best[b];
    best[b] = better ? through : best[b];
    choice[b] = better ? way : choice[b];
  }
}

using Relax = void (*)(const float*, float, std::uint32_t, std::int32_t, float*, std::uint32_t*);

void relax_portable(const float* score, float gain, std::uint32_t way, std::int32_t count,
                    float* best, std::uint32_t* choice) {
  relax_range(score, gain, way, count, best, choice);
}

#ifdef LATHE_X86_DISPATCH
[[gnu::target("avx2")]] void relax_avx2(const float* score, float gain, std::uint32_t way,
                                        std::int32_t count, float* best, std::uint32_t* choice) {
  relax_range(score, gain, way, count, best, choice);
}

[[gnu::target("avx512f,prefer-vector-width=512")]] void relax_avx512(const float* score, float gain,
                                                                     std::uint32_t way,
                                                                     std::int32_t count,
                                                                     float* best,
                                                                     std::uint32_t* choice) {
  relax_range(score, gain, way, count, best, choice);
}
#endif

Relax choose_relax() {
#ifdef LATHE_X86_DISPATCH
  switch (best_isa()) {
    case Isa::kAvx512:
      return relax_avx512;
    case Isa::kAvx2:
      return relax_avx2;
    case Isa::kGeneric:
      break;
  }
#endif
  return relax_portable;
}

/// What every path spends at least in each step, for its transitions to be above it.
std::vector<double> least_of_steps(const space::Trellis& trellis,
                                   std::span<const double> latency_ms) {
  std::vector<double> least(trellis.num_steps(), std::numeric_limits<double>::infinity());
  for (std::size_t s = 0; s < least.size(); ++s) {
    for (std::uint32_t t = trellis.first_transition(s); t < trellis.first_transition(s + 1); ++t) {
      least[s] = latency_ms[t] < least[s] ? latency_ms[t] : least[s];  // NaN never is
    }
  }
  return least;
}

}  // namespace

BudgetProgram::BudgetProgram(const space::Trellis& trellis, std::vector<double> latency_ms,
                             double max_ms, int bins)
    : trellis_(&trellis), latency_ms_(std::move(latency_ms)), bins_(bins) {
  if (bins < 2) {
    throw std::invalid_argument("[search::BudgetProgram] bins must be >= 2, got " +
                                std::to_string(bins));
  }
  const double fastest_ms = space::suffix_minima(trellis, latency_ms_).front();
  if (!std::isfinite(max_ms) || !(max_ms >= fastest_ms - kRoundingOfSums * std::abs(fastest_ms))) {
    throw std::invalid_argument("[search::BudgetProgram] max_ms must be at least the fastest " +
                                std::string("path's ") + std::to_string(fastest_ms) + ", got " +
                                std::to_string(max_ms));
  }
  const std::vector<double> offsets = least_of_steps(trellis, latency_ms_);
  for (const double offset : offsets) {
    base_ms_ += offset;
  }
  // The last bin takes what is rounded up to it.
  bin_ms_ = std::max(max_ms - base_ms_, 1e-9) / (bins - 1);
  reach_.assign(trellis.num_states(), {.least = bins_, .most = -1});
  reach_.front() = {.least = 0, .most = 0};
  for (std::size_t s = 0; s < trellis.num_steps(); ++s) {
    for (std::uint32_t t = trellis.first_transition(s); t < trellis.first_transition(s + 1); ++t) {
      const space::Transition& transition = trellis.transition(t);
      const double extra = std::round((latency_ms_[t] - offsets[s]) / bin_ms_);
      const Reach& from = reach_[transition.from];
      if (!(extra < bins_) || from.least + static_cast<std::int32_t>(extra) >= bins_) {
        continue;
      }
      const auto cost = static_cast<std::int32_t>(extra);
      ways_.push_back(
          {.transition = t, .from = transition.from, .to = transition.to, .bins = cost});
      Reach& to = reach_[transition.to];
      to.least = std::min(to.least, from.least + cost);
      to.most = std::max(to.most, std::min(bins_ - 1, from.most + cost));
    }
  }
  scores_.resize(cell(trellis.num_states(), 0));
  choices_.resize(scores_.size());
}

void BudgetProgram::solve(std::span<const float> scores) {
  static const Relax kRelax = choose_relax();
  trellis_->require_one_each(scores.size(), "search::BudgetProgram::solve", "scores");
  for (std::uint32_t state = 0; state < reach_.size(); ++state) {
    const Reach& reach = reach_[state];
    if (reach.least <= reach.most) {
      std::fill_n(scores_.begin() + static_cast<std::ptrdiff_t>(cell(state, reach.least)),
                  reach.most - reach.least + 1, kNone);
    }
  }
  scores_.front() = 0.0F;
  for (std::uint32_t w = 0; w < ways_.size(); ++w) {
    const Way& way = ways_[w];
    const Reach& reach = reach_[way.from];
    const std::int32_t last = std::min(reach.most, bins_ - 1 - way.bins);
    if (reach.least <= last) {
      kRelax(scores_.data() + cell(way.from, reach.least), scores[way.transition], w,
             last - reach.least + 1, scores_.data() + cell(way.to, reach.least + way.bins),
             choices_.data() + cell(way.to, reach.least + way.bins));
    }
  }
  best_bin_.assign(static_cast<std::size_t>(bins_), -1);
  const std::uint32_t end = trellis_->num_states() - 1;
  const Reach& reach = reach_.back();
  std::int32_t best = -1;
  for (std::int32_t b = 0; b < bins_; ++b) {
    const bool reached = b >= reach.least && b <= reach.most;
    const float score = reached ? scores_[cell(end, b)] : kNone;
    if (score > (best < 0 ? kNone : scores_[cell(end, best)])) {
      best = b;
    }
    best_bin_[static_cast<std::size_t>(b)] = best;
  }
}

std::optional<space::Path> BudgetProgram::best(double limit_ms) const {
  if (best_bin_.empty()) {
    return std::nullopt;
  }
  // Rounding errors of the slots mostly cancel: paths a little beyond the limit's bin may fit.
  const double bin = std::floor((limit_ms - base_ms_) / bin_ms_) + 2;
  if (!(bin >= 0)) {
    return std::nullopt;
  }
  auto upto = static_cast<std::int32_t>(std::min(bin, static_cast<double>(bins_ - 1)));
  for (int i = 0; i < kTries && upto >= 0; ++i) {
    const std::int32_t found = best_bin_[static_cast<std::size_t>(upto)];
    if (found < 0) {
      break;
    }
    space::Path path = trace(found);
    if (space::Trellis::total(path, latency_ms_) <= limit_ms) {
      return path;
    }
    upto = found - 1;
  }
  return std::nullopt;
}

space::Path BudgetProgram::trace(std::int32_t bin) const {
  space::Path path(trellis_->num_steps());
  std::uint32_t state = trellis_->num_states() - 1;
  for (std::size_t s = path.size(); s-- > 0;) {
    const Way& way = ways_[choices_[cell(state, bin)]];
    path[s] = way.transition;
    bin -= way.bins;
    state = way.from;
  }
  return path;
}

}  // namespace lathe::search

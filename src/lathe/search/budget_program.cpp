#include "lathe/search/budget_program.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "lathe/core/isa.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define LATHE_X86_DISPATCH 1
#endif

namespace lathe::search {
namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();
constexpr int kTries = 8;  // nets that turn out too slow before a limit is given up

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

double least(std::span<const double> table) {
  double value = std::numeric_limits<double>::infinity();
  for (const double entry : table) {
    value = entry < value ? entry : value;  // NaN never is
  }
  return value;
}

}  // namespace

BudgetProgram::BudgetProgram(const space::SlotChain& chain, const space::SlotCosts& latency,
                             double max_ms, int bins)
    : chain_(&chain), latency_(&latency), bins_(bins), base_ms_(latency.constant()) {
  if (bins < 2) {
    throw std::invalid_argument("[search::BudgetProgram] bins must be >= 2, got " +
                                std::to_string(bins));
  }
  const double fastest_ms = latency.constant() + chain.suffix_minima(latency).front().front();
  if (!std::isfinite(max_ms) || !(max_ms >= fastest_ms)) {
    throw std::invalid_argument("[search::BudgetProgram] max_ms must be at least the fastest " +
                                std::string("net's ") + std::to_string(fastest_ms) + ", got " +
                                std::to_string(max_ms));
  }
  const std::size_t steps = chain.steps().size();
  std::vector<double> offsets;
  for (std::size_t s = 0; s < steps; ++s) {
    offsets.push_back(least(latency.table(s)));
    base_ms_ += offsets.back();
  }
  // The last bin takes what is rounded up to it.
  bin_ms_ = std::max(max_ms - base_ms_, 1e-9) / (bins - 1);
  ways_.resize(steps);
  reach_.resize(steps + 1);
  scores_.resize(steps + 1);
  choices_.resize(steps);
  reach_[0] = {{.least = 0, .most = 0}};
  for (std::size_t s = 0; s < steps; ++s) {
    reach_[s + 1].assign(chain.num_states(s + 1), {.least = bins_, .most = -1});
    const auto& transitions = chain.steps()[s].transitions;
    for (std::size_t k = 0; k < transitions.size(); ++k) {
      const double extra =
          std::round((latency.table(s)[transitions[k].entry] - offsets[s]) / bin_ms_);
      const Reach& from = reach_[s][transitions[k].from];
      if (!(extra < bins_) || from.least + static_cast<std::int32_t>(extra) >= bins_) {
        continue;
      }
      const auto cost = static_cast<std::int32_t>(extra);
      ways_[s].push_back({.transition = static_cast<std::uint32_t>(k),
                          .from = transitions[k].from,
                          .to = transitions[k].to,
                          .bins = cost});
      Reach& to = reach_[s + 1][transitions[k].to];
      to.least = std::min(to.least, from.least + cost);
      to.most = std::max(to.most, std::min(bins_ - 1, from.most + cost));
    }
    const std::size_t cells = chain.num_states(s + 1) * static_cast<std::size_t>(bins_);
    scores_[s + 1].resize(cells);
    choices_[s].resize(cells);
  }
  scores_[0].assign(static_cast<std::size_t>(bins_), 0.0F);
}

void BudgetProgram::solve(std::span<const std::vector<float>> scores) {
  static const Relax kRelax = choose_relax();
  bool same_shape = scores.size() == ways_.size();
  for (std::size_t s = 0; same_shape && s < scores.size(); ++s) {
    same_shape = scores[s].size() == chain_->steps()[s].transitions.size();
  }
  if (!same_shape) {
    throw std::invalid_argument(
        "[search::BudgetProgram::solve] scores must have a number for every transition of the "
        "chain");
  }
  for (std::size_t s = 0; s < ways_.size(); ++s) {
    for (std::uint32_t state = 0; state < reach_[s + 1].size(); ++state) {
      const Reach& reach = reach_[s + 1][state];
      if (reach.least <= reach.most) {
        std::fill_n(scores_[s + 1].begin() + static_cast<std::ptrdiff_t>(cell(state, reach.least)),
                    reach.most - reach.least + 1, kNone);
      }
    }
    for (std::uint32_t w = 0; w < ways_[s].size(); ++w) {
      const Way& way = ways_[s][w];
      const Reach& reach = reach_[s][way.from];
      const std::int32_t last = std::min(reach.most, bins_ - 1 - way.bins);
      if (reach.least <= last) {
        kRelax(scores_[s].data() + cell(way.from, reach.least), scores[s][way.transition], w,
               last - reach.least + 1, scores_[s + 1].data() + cell(way.to, reach.least + way.bins),
               choices_[s].data() + cell(way.to, reach.least + way.bins));
      }
    }
  }
  best_bin_.assign(static_cast<std::size_t>(bins_), -1);
  const Reach& reach = reach_.back().front();
  std::int32_t best = -1;
  for (std::int32_t b = 0; b < bins_; ++b) {
    const bool reached = b >= reach.least && b <= reach.most;
    const float score = reached ? scores_.back()[cell(0, b)] : kNone;
    if (score > (best < 0 ? kNone : scores_.back()[cell(0, best)])) {
      best = b;
    }
    best_bin_[static_cast<std::size_t>(b)] = best;
  }
}

std::optional<space::Arch> BudgetProgram::best(double limit_ms) const {
  if (best_bin_.empty()) {
    return std::nullopt;
  }
  // Rounding errors of the slots mostly cancel: nets a little beyond the limit's bin may fit.
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
    space::Arch arch = trace(found);
    if (latency_->total(arch) <= limit_ms) {
      return arch;
    }
    upto = found - 1;
  }
  return std::nullopt;
}

space::Arch BudgetProgram::trace(std::int32_t bin) const {
  space::Arch arch{std::vector<std::uint8_t>(chain_->num_decisions(), 0)};
  std::uint32_t state = 0;
  for (std::size_t s = ways_.size(); s-- > 0;) {
    const Way& way = ways_[s][choices_[s][cell(state, bin)]];
    chain_->decide(s, chain_->steps()[s].transitions[way.transition], arch);
    bin -= way.bins;
    state = way.from;
  }
  return arch;
}

}  // namespace lathe::search

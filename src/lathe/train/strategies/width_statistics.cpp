#include "lathe/train/strategies/width_statistics.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "lathe/core/error.h"
#include "lathe/core/file.h"

namespace lathe::train {
namespace {

constexpr std::int64_t kParts = 16;
// The level is a mean over about as many nets: enough to average out their luck, and few enough to
// follow the training.
constexpr std::int64_t kLevelDraws = 64;

}  // namespace

void WidthStatistics::Sums::add(const Sums& other) {
  draws += other.draws;
  images += other.images;
  error += other.error;
  squared += other.squared;
}

WidthStatistics::WidthStatistics(const space::Space& space, const WidthStatisticsOptions& options)
    : space_(space), options_(options) {
  if (options.window_images < 1) {
    throw std::invalid_argument("[train::WidthStatistics] window_images must be >= 1, got " +
                                std::to_string(options.window_images));
  }
  for (const space::Decision& decision : space.decisions()) {
    recent_.emplace_back(static_cast<std::size_t>(decision.num_choices()));
  }
}

std::optional<double> WidthStatistics::mean_of(const Recent& recent) const {
  return recent.total.draws > 0 ? std::optional(recent.total.error / recent.total.draws)
                                : std::nullopt;
}

void WidthStatistics::push(Recent& recent, double error, std::int64_t images) const {
  const Sums draw{
      .draws = 1, .images = static_cast<double>(images), .error = error, .squared = error * error};
  const double part_images =
      static_cast<double>(options_.window_images) / static_cast<double>(kParts);
  if (recent.parts.empty() || recent.parts.back().images >= part_images) {
    recent.parts.emplace_back();
  }
  recent.parts.back().add(draw);
  double images_after = 0;  // of the parts but the first
  for (std::size_t i = 1; i < recent.parts.size(); ++i) {
    images_after += recent.parts[i].images;
  }
  if (images_after >= static_cast<double>(options_.window_images)) {
    recent.parts.pop_front();
  }
  recent.total = {};  // added up anew: a running difference would gather rounding
  for (const Sums& part : recent.parts) {
    recent.total.add(part);
  }
}

void WidthStatistics::add(const space::Arch& arch, double error, std::int64_t images) {
  space_.check(arch);
  if (images < 1) {
    throw std::invalid_argument("[train::WidthStatistics::add] images must be >= 1, got " +
                                std::to_string(images));
  }
  std::vector<double> explained(recent_.size(), 0.0);  // by each of the net's widths
  double sum = 0;
  for (std::size_t i = 0; i < recent_.size(); ++i) {
    const Sums& t = recent_[i][arch.choices[i]].total;
    if (options_.baseline == ScoreBaseline::kResidual) {
      // Few draws are mostly luck, which every width of the net would take over from the others.
      explained[i] = t.error / (t.draws + static_cast<double>(recent_.size()));
    }
    sum += explained[i];
  }
  // The first net has nothing to be compared with: it sets the level.
  const double level = draws_ == 0 ? error : level_;
  const double baseline = options_.baseline == ScoreBaseline::kNone ? 0.0 : level;
  for (std::size_t i = 0; i < recent_.size(); ++i) {
    push(recent_[i][arch.choices[i]], error - baseline - (sum - explained[i]), images);
  }
  ++draws_;
  level_ += (error - sum - level_) / static_cast<double>(std::min(draws_, kLevelDraws));
}

accuracy::WidthScoreTable WidthStatistics::scores() const {
  const auto decisions = static_cast<double>(recent_.size());
  // What the scores as they are sum to too much or too little for the nets drawn lately.
  const double surplus = options_.baseline == ScoreBaseline::kNone
                             ? level_ * (decisions - 1) / decisions
                             : -level_ / decisions;
  accuracy::WidthScoreTable scores;
  for (std::size_t i = 0; i < recent_.size(); ++i) {
    scores.emplace_back(recent_[i].size());
    double squares = 0;  // about each choice's own mean
    double freedom = 0;
    for (const Recent& recent : recent_[i]) {
      const Sums& t = recent.total;
      if (t.draws > 0) {
        squares += std::max(0.0, t.squared - t.error * t.error / t.draws);
        freedom += t.draws - 1;
      }
    }
    for (std::size_t c = 0; c < recent_[i].size() && freedom > 0; ++c) {
      const Sums& t = recent_[i][c].total;
      if (t.draws > 0) {
        scores[i][c] =
            accuracy::WidthScore{.mean = t.error / t.draws - surplus,
                                 .standard_error = std::sqrt(squares / freedom / t.draws),
                                 .count = static_cast<std::int64_t>(t.images)};
      }
    }
  }
  return scores;
}

std::optional<accuracy::WidthScores> WidthStatistics::width_scores() const {
  accuracy::WidthScoreTable table = scores();
  for (const auto& choices : table) {
    for (const std::optional<accuracy::WidthScore>& score : choices) {
      if (score) {
        return accuracy::WidthScores(space_, std::move(table));
      }
    }
  }
  return std::nullopt;
}

std::vector<std::vector<double>> WidthStatistics::estimates() const {
  std::vector<std::vector<double>> estimates;
  for (const std::vector<Recent>& choices : recent_) {
    double sum = 0;
    int known = 0;
    for (const Recent& recent : choices) {
      if (const std::optional<double> mean = mean_of(recent)) {
        sum += *mean;
        ++known;
      }
    }
    std::vector<double>& row = estimates.emplace_back();
    for (const Recent& recent : choices) {
      row.push_back(mean_of(recent).value_or(known > 0 ? sum / known : 0.0));
    }
  }
  return estimates;
}

nlohmann::json WidthStatistics::state() const {
  nlohmann::json all = nlohmann::json::array();
  for (const std::vector<Recent>& choices : recent_) {
    nlohmann::json& row = all.emplace_back(nlohmann::json::array());
    for (const Recent& recent : choices) {
      nlohmann::json& parts = row.emplace_back(nlohmann::json::array());
      for (const Sums& part : recent.parts) {
        parts.push_back({part.draws, part.images, part.error, part.squared});
      }
    }
  }
  return {{"draws", draws_}, {"level", level_}, {"recent", std::move(all)}};
}

void WidthStatistics::restore(const nlohmann::json& state) {
  const std::string where = "width scores of the checkpoint";
  const auto refuse = [&] { throw Error(where + ": are of another space, or damaged"); };
  const auto draws = json_member<std::int64_t>(state, "draws", where);
  const auto level = json_member<double>(state, "level", where);
  const auto all = json_member<nlohmann::json>(state, "recent", where);
  std::vector<std::vector<Recent>> recent;
  if (!all.is_array() || all.size() != recent_.size()) {
    refuse();
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::vector<Recent>& choices = recent.emplace_back(recent_[i].size());
    if (!all[i].is_array() || all[i].size() != choices.size()) {
      refuse();
    }
    for (std::size_t c = 0; c < choices.size(); ++c) {
      if (!all[i][c].is_array() || all[i][c].size() > kParts + 2) {
        refuse();
      }
      for (const nlohmann::json& part : all[i][c]) {
        std::vector<double> sums;
        try {
          sums = part.get<std::vector<double>>();
        } catch (const nlohmann::json::exception&) {
          refuse();
        }
        if (sums.size() != 4) {
          refuse();
        }
        choices[c].parts.push_back({sums[0], sums[1], sums[2], sums[3]});
        choices[c].total.add(choices[c].parts.back());
      }
    }
  }
  recent_ = std::move(recent);
  draws_ = draws;
  level_ = level;
}

}  // namespace lathe::train

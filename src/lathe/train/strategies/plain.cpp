#include "lathe/train/strategies/plain.h"

#include <stdexcept>
#include <string>

#include "lathe/train/strategies/stretched.h"

namespace lathe::train {
namespace {

class Plain final : public StretchedStrategy {
 public:
  explicit Plain(const PlainOptions& options)
      : StretchedStrategy("plain", options.schedule.total_steps), options_(options) {}

  StepPlan plan(std::int64_t step) const override {
    const double part =
        static_cast<double>(planned(step)) / static_cast<double>(options_.schedule.total_steps);
    return {.passes = {{.arch = options_.arch,
                        .losses = options_.losses,
                        .dropout = true,
                        .drop_path = options_.drop_path * part}},
            .learning_rate = options_.schedule.at(planned(step))};
  }

  int image_size(std::int64_t /*step*/) const override { return options_.image_size; }

  nlohmann::json to_json() const override {
    nlohmann::json losses;
    for (const LossTerm& term : options_.losses) {
      losses.push_back({static_cast<int>(term.target), term.weight});
    }
    return {{"method", "plain"},
            {"total_steps", options_.schedule.total_steps},
            {"learning_rate", options_.schedule.peak},
            {"warmup_steps", options_.schedule.warmup_steps},
            {"final_share", options_.schedule.final_share},
            {"choices", options_.arch.choices},
            {"losses", losses},
            {"drop_path", options_.drop_path}};
  }

  std::vector<Reported> reported(std::int64_t /*steps_done*/) const override {
    return {{kOnlyNet, options_.arch}};
  }

 private:
  PlainOptions options_;
};

}  // namespace

std::unique_ptr<Strategy> make_plain(const PlainOptions& options) {
  if (options.schedule.total_steps <= 0) {
    throw std::invalid_argument("[train::make_plain] total_steps must be > 0, got " +
                                std::to_string(options.schedule.total_steps));
  }
  if (!(options.drop_path >= 0 && options.drop_path < 1)) {
    throw std::invalid_argument("[train::make_plain] drop_path must be in [0, 1), got " +
                                std::to_string(options.drop_path));
  }
  return std::make_unique<Plain>(options);
}

}  // namespace lathe::train

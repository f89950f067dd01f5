#include "lathe/train/strategies/plain.h"

#include <stdexcept>
#include <string>

#include "lathe/train/stretch.h"

namespace lathe::train {
namespace {

class Plain final : public Strategy {
 public:
  explicit Plain(const PlainOptions& options)
      : options_(options), stretch_(options.schedule.total_steps) {}

  std::int64_t total_steps() const override { return stretch_.total_steps(); }

  bool shorten(std::int64_t step, std::int64_t steps_left) override {
    stretch_.revise(step, steps_left);
    return true;
  }
  std::int64_t planned(std::int64_t step) const override { return stretch_.planned(step); }
  nlohmann::json state() const override { return stretch_.state(); }
  void restore(const nlohmann::json& state) override { stretch_.restore(state, "plain's state"); }

  StepPlan plan(std::int64_t step) const override {
    return {.passes = {{.arch = options_.arch, .losses = options_.losses, .dropout = true}},
            .learning_rate = options_.schedule.at(stretch_.planned(step))};
  }

  nlohmann::json to_json() const override {
    nlohmann::json losses;
    for (const LossTerm& term : options_.losses) {
      losses.push_back({static_cast<int>(term.target), term.weight});
    }
    return {{"method", "plain"},
            {"total_steps", options_.schedule.total_steps},
            {"learning_rate", options_.schedule.peak},
            {"warmup_steps", options_.schedule.warmup_steps},
            {"choices", options_.arch.choices},
            {"losses", losses}};
  }

  std::vector<Reported> reported() const override { return {{"validation", options_.arch}}; }

 private:
  PlainOptions options_;
  Stretch stretch_;
};

}  // namespace

std::unique_ptr<Strategy> make_plain(const PlainOptions& options) {
  if (options.schedule.total_steps <= 0) {
    throw std::invalid_argument("[train::make_plain] total_steps must be > 0, got " +
                                std::to_string(options.schedule.total_steps));
  }
  return std::make_unique<Plain>(options);
}

}  // namespace lathe::train

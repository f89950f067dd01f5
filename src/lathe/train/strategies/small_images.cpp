#include "lathe/train/strategies/small_images.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/graph/input_size.h"

namespace lathe::train {
namespace {

constexpr double kHalf = 0.5, kThreeQuarters = 0.75;

int side_at(int input_size, double scale) {
  return static_cast<int>(std::lround(input_size * scale));
}

class WithSmallImages final : public Strategy {
 public:
  WithSmallImages(std::unique_ptr<Strategy> whole, const space::Space& space,
                  const SmallImages& images)
      : whole_(std::move(whole)),
        space_(space),
        images_(images),
        planned_steps_(whole_->total_steps()) {}

  StepPlan plan(std::int64_t step) const override {
    StepPlan plan = whole_->plan(step);
    shrink(plan.passes, step);
    return plan;
  }

  nlohmann::json to_json() const override {
    nlohmann::json json = whole_->to_json();
    json["small_images"] = {images_.half_until, images_.three_quarters_until};
    return json;
  }

  std::int64_t total_steps() const override { return whole_->total_steps(); }
  bool shorten(std::int64_t step, std::int64_t steps_left) override {
    return whole_->shorten(step, steps_left);
  }
  std::int64_t planned(std::int64_t step) const override { return whole_->planned(step); }
  int image_size(std::int64_t step) const override { return whole_->image_size(step); }
  void observe(std::int64_t step, const std::vector<Observation>& observations) override {
    whole_->observe(step, observations);
  }
  nlohmann::json state() const override { return whole_->state(); }
  void restore(const nlohmann::json& state) override { whole_->restore(state); }
  std::vector<Reported> reported(std::int64_t steps_done) const override {
    std::vector<Reported> nets = whole_->reported(steps_done);
    shrink(nets, steps_done - 1);
    return nets;
  }
  nlohmann::ordered_json figures() const override { return whole_->figures(); }
  std::optional<accuracy::WidthScores> width_scores() const override {
    return whole_->width_scores();
  }

 private:
  /// Of passes, or of reported nets, that belong to `step`.
  template <typename Net>
  void shrink(std::vector<Net>& nets, std::int64_t step) const {
    const double scale = images_.scale(static_cast<double>(whole_->planned(step)) /
                                       static_cast<double>(planned_steps_));
    if (scale < 1) {
      for (Net& net : nets) {
        net.image_size = side_at(space_.input_size(net.arch), scale);
      }
    }
  }

  std::unique_ptr<Strategy> whole_;
  const space::Space& space_;
  SmallImages images_;
  std::int64_t planned_steps_;
};

}  // namespace

double StepSeconds::at(double scale) const {
  const double pixels = (scale * scale - kHalf * kHalf) / (1 - kHalf * kHalf);
  return half + pixels * (full - half);
}

nlohmann::ordered_json to_json(const StepSeconds& step_s) {
  return {{"full", step_s.full}, {"half", step_s.half}};
}

StepSeconds step_seconds_from_json(const nlohmann::json& json, const char* key,
                                   const std::string& where) {
  const auto step_s = json_member<nlohmann::json>(json, key, where);
  if (step_s.is_number()) {  // of an older version, which knew one size
    return {.full = step_s.get<double>(), .half = step_s.get<double>()};
  }
  const std::string member = where + ": " + key;
  return {.full = json_member<double>(step_s, "full", member),
          .half = json_member<double>(step_s, "half", member)};
}

double SmallImages::scale(double progress) const {
  return progress < half_until ? kHalf : progress < three_quarters_until ? kThreeQuarters : 1;
}

double SmallImages::mean_s(const StepSeconds& step_s) const {
  return half_until * step_s.half +
         (three_quarters_until - half_until) * step_s.at(kThreeQuarters) +
         (1 - three_quarters_until) * step_s.full;
}

bool sees_small_images(const space::Space& space) {
  const graph::Graph net = space.training_graph(space.largest());  // whose layers all others have
  try {
    for (const double scale : {kHalf, kThreeQuarters}) {
      graph::with_input_size(net, side_at(space.input_sizes().front(), scale));
    }
  } catch (const std::invalid_argument&) {
    return false;
  }
  return true;
}

std::unique_ptr<Strategy> with_small_images(std::unique_ptr<Strategy> whole,
                                            const space::Space& space, const SmallImages& images) {
  if (!sees_small_images(space)) {
    throw Error("--small-images: the nets of " + space.name() + " can't see images of half of " +
                std::to_string(space.input_sizes().front()) +
                " pixels; expected a larger --image-size, or --small-images 0");
  }
  return std::make_unique<WithSmallImages>(std::move(whole), space, images);
}

}  // namespace lathe::train

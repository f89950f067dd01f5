#include "lathe/train/stretch.h"

#include <stdexcept>

#include "lathe/core/error.h"
#include "lathe/core/json_fields.h"

namespace lathe::train {
namespace {

constexpr std::int64_t kMostSteps = 1'000'000'000;  // products of two fit

}  // namespace

Stretch::Stretch(std::int64_t planned_steps)
    : planned_steps_(planned_steps), total_steps_(planned_steps) {
  if (planned_steps < 1 || planned_steps > kMostSteps) {
    throw std::invalid_argument("[train::Stretch] planned_steps must be in [1, 10^9], got " +
                                std::to_string(planned_steps));
  }
}

std::int64_t Stretch::planned(std::int64_t step) const {
  for (auto revision = revisions_.rbegin(); revision != revisions_.rend(); ++revision) {
    if (step >= revision->step) {
      return revision->planned +
             (step - revision->step) * (planned_steps_ - revision->planned) / revision->steps_left;
    }
  }
  return step;
}

void Stretch::revise(std::int64_t step, std::int64_t steps_left) {
  const std::int64_t after = revisions_.empty() ? -1 : revisions_.back().step;
  if (steps_left < 1 || steps_left > kMostSteps || step <= after || step >= total_steps_) {
    throw std::invalid_argument("[train::Stretch::revise] step " + std::to_string(step) +
                                " must be above " + std::to_string(after) + " and below " +
                                std::to_string(total_steps_) +
                                ", and steps_left in [1, 10^9], got " + std::to_string(steps_left));
  }
  revisions_.push_back({step, planned(step), steps_left});
  total_steps_ = step + steps_left;
}

nlohmann::json Stretch::state() const {
  nlohmann::json state;
  for (const Revision& revision : revisions_) {
    state.push_back({revision.step, revision.steps_left});
  }
  return state;
}

void Stretch::restore(const nlohmann::json& state, const std::string& where) {
  Stretch restored(planned_steps_);
  if (!state.is_null()) {
    try {
      for (const auto& [step, steps_left] :
           state.get<std::vector<std::pair<std::int64_t, std::int64_t>>>()) {
        restored.revise(step, steps_left);
      }
    } catch (const std::exception& error) {
      throw Error(where + ": expected revisions of " + std::to_string(planned_steps_) +
                  " steps, got " + state.dump());
    }
  }
  *this = std::move(restored);
}

}  // namespace lathe::train

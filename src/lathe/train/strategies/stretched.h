// Methods whose plan can be done in fewer steps.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "lathe/train/strategy.h"
#include "lathe/train/stretch.h"

namespace lathe::train {

/// Plans of such a method are looked up at planned(step). Its state is that of the stretch alone.
class StretchedStrategy : public Strategy {
 public:
  std::int64_t total_steps() const override { return stretch_.total_steps(); }
  bool shorten(std::int64_t step, std::int64_t steps_left) override {
    stretch_.revise(step, steps_left);
    return true;
  }
  std::int64_t planned(std::int64_t step) const override { return stretch_.planned(step); }
  nlohmann::json state() const override { return stretch_.state(); }
  void restore(const nlohmann::json& state) override {
    stretch_.restore(state, name_ + "'s state");
  }

 protected:
  /// `name` says in errors whose state it is. @throws std::invalid_argument as Stretch.
  StretchedStrategy(std::string name, std::int64_t planned_steps)
      : name_(std::move(name)), stretch_(planned_steps) {}
  std::int64_t planned_steps() const { return stretch_.planned_steps(); }

 private:
  std::string name_;
  Stretch stretch_;
};

}  // namespace lathe::train

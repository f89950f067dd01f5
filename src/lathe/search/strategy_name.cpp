#include "lathe/search/strategy_name.h"

#include <algorithm>
#include <utility>

namespace lathe::search {
namespace {

constexpr Strategy kStrategies[] = {
    Strategy::kAllTargets, Strategy::kVanilla,        Strategy::kTopDown,
    Strategy::kBottomUp,   Strategy::kTopDownAsCoded, Strategy::kBottomUpAsCoded,
    Strategy::kCold,       Strategy::kRandom,         Strategy::kOws,
    Strategy::kPareto,     Strategy::kLagrangian,     Strategy::kGreedy,
    Strategy::kUniform};

constexpr std::pair<const char*, Effort> kEfforts[] = {
    {"fast", Effort::kFast}, {"normal", Effort::kNormal}, {"thorough", Effort::kThorough}};

}  // namespace

std::vector<std::string> strategy_names() {
  std::vector<std::string> names;
  for (const Strategy strategy : kStrategies) {
    names.push_back(to_string(strategy));
  }
  return names;
}

std::optional<Strategy> strategy_named(const std::string& name) {
  const auto* const found =
      std::ranges::find(kStrategies, name, [](Strategy s) { return to_string(s); });
  return found == std::end(kStrategies) ? std::nullopt : std::optional(*found);
}

std::vector<std::string> effort_names() {
  std::vector<std::string> names;
  for (const auto& [name, effort] : kEfforts) {
    names.emplace_back(name);
  }
  return names;
}

std::optional<Effort> effort_named(const std::string& name) {
  for (const auto& [known, effort] : kEfforts) {
    if (name == known) {
      return effort;
    }
  }
  return std::nullopt;
}

}  // namespace lathe::search

#include "lathe/run/answers/settle.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

namespace lathe::run {
namespace {

/// Of each target that is still open, the nets that may answer it.
using OpenTargets = std::vector<std::set<space::Arch>>;

OpenTargets open_targets(std::span<const Winner> winners, std::span<const double> targets_ms) {
  OpenTargets open(winners.size());
  for (std::size_t i = 0; i < winners.size(); ++i) {
    for (const std::size_t of : that_may_answer(i, winners, targets_ms)) {
      open[i].insert(winners[of].candidate.arch);
    }
  }
  return open;
}

/// `count` of them, evenly up to the last.
std::vector<space::Arch> evenly_to_the_last(const std::vector<space::Arch>& archs,
                                            std::size_t count) {
  std::vector<space::Arch> some;
  for (std::size_t i = 1; i <= count; ++i) {
    some.push_back(archs[i * archs.size() / count - 1]);
  }
  return some;
}

}  // namespace

std::vector<space::Arch> different_nets(std::span<const Winner> winners) {
  std::vector<space::Arch> archs;
  for (const Winner& winner : winners) {
    if (std::find(archs.begin(), archs.end(), winner.candidate.arch) == archs.end()) {
      archs.push_back(winner.candidate.arch);
    }
  }
  return archs;
}

std::vector<std::size_t> that_may_answer(std::size_t i, std::span<const Winner> winners,
                                         std::span<const double> targets_ms) {
  std::vector<std::size_t> found;
  for (std::size_t faster = 0; faster < i; ++faster) {
    if (winners[faster].verdict_at(targets_ms[i]) == measure::Verdict::kWithin) {
      found.push_back(faster);
    }
  }
  if (winners[i].holds() || found.empty()) {
    found.push_back(i);
  }
  return found;
}

std::vector<space::Arch> worth_training_alone(std::span<const Winner> winners,
                                              std::span<const double> targets_ms,
                                              std::size_t at_most) {
  std::vector<space::Arch> archs = different_nets(winners);
  if (at_most == 0 || archs.size() <= at_most) {
    return archs;
  }
  OpenTargets open = open_targets(winners, targets_ms);
  std::set<space::Arch> chosen;
  while (!open.empty() && chosen.size() < at_most) {
    const auto answers = [&](const space::Arch& arch) {
      return std::count_if(open.begin(), open.end(),
                           [&](const auto& nets) { return nets.contains(arch); });
    };
    const space::Arch& most = *std::max_element(
        archs.begin(), archs.end(),
        [&](const space::Arch& a, const space::Arch& b) { return answers(a) < answers(b); });
    chosen.insert(most);
    std::erase_if(open, [&](const auto& nets) { return nets.contains(most); });
  }
  std::vector<space::Arch> others;
  std::copy_if(archs.begin(), archs.end(), std::back_inserter(others),
               [&](const space::Arch& arch) { return !chosen.contains(arch); });
  for (const space::Arch& arch : evenly_to_the_last(others, at_most - chosen.size())) {
    chosen.insert(arch);
  }
  std::erase_if(archs, [&](const space::Arch& arch) { return !chosen.contains(arch); });
  return archs;
}

std::vector<Answer> settled(const std::vector<Winner>& winners,
                            const std::vector<double>& targets_ms,
                            const std::map<space::Arch, Made>& nets) {
  const auto made = [&](std::size_t i) -> const Made& {
    return nets.at(winners[i].candidate.arch);
  };
  std::vector<Answer> answers;
  std::map<std::size_t, double> first_ms;  // of the winners that are answers, the fastest target
  for (std::size_t i = 0; i < winners.size(); ++i) {
    const std::vector<std::size_t> may = that_may_answer(i, winners, targets_ms);
    const std::size_t best = *std::max_element(
        may.begin(), may.end(),
        [&](std::size_t a, std::size_t b) { return made(a).quality() < made(b).quality(); });
    Answer answer{made(best), targets_ms[i], winners[best], {}};
    if (best != i) answer.winner.verdict = measure::Verdict::kWithin;
    const auto [first, is_new] = first_ms.emplace(best, targets_ms[i]);
    if (!is_new) answer.same_as_ms = first->second;
    answers.push_back(std::move(answer));
  }
  return answers;
}

}  // namespace lathe::run

#include "lathe/train/predictors/collect_accuracy.h"

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <string>

#include "lathe/core/error.h"

namespace lathe::train {
namespace {

void require_begins(std::span<const space::Arch> archs, const accuracy::SampleLog& log) {
  for (std::size_t i = 0; i < log.samples().size(); ++i) {
    if (i == archs.size() || log.samples()[i].arch != archs[i]) {
      // The file's first line holds the conditions.
      throw Error(log.path().string() + ":" + std::to_string(i + 2) +
                  ": is not the subnet that is drawn here; name another file");
    }
  }
}

std::string points(double accuracy) {
  char text[32];
  std::snprintf(text, sizeof(text), "top-1 %.2f%%", 100 * accuracy);
  return text;
}

}  // namespace

std::vector<accuracy::AccuracySample> collect_accuracy(std::span<const space::Arch> archs,
                                                       const EvaluateFn& evaluate, int at_once,
                                                       accuracy::SampleLog& log,
                                                       const ProgressFn& progress) {
  if (at_once < 1) {
    throw std::invalid_argument("[train::collect_accuracy] at_once must be > 0, got " +
                                std::to_string(at_once));
  }
  require_begins(archs, log);
  while (log.samples().size() < archs.size()) {
    const auto rest = archs.subspan(log.samples().size());
    const auto next = rest.first(std::min(rest.size(), static_cast<std::size_t>(at_once)));
    const std::vector<Score> found = evaluate(next);
    for (std::size_t i = 0; i < next.size(); ++i) {
      const Score& score = found.at(i);
      log.append({.arch = next[i], .accuracy = score.top1, .soft_accuracy = score.soft_top1});
    }
    progress({"accuracy", static_cast<std::int64_t>(log.samples().size()),
              static_cast<std::int64_t>(archs.size()), points(found.back().top1)});
  }
  return log.samples();
}

}  // namespace lathe::train

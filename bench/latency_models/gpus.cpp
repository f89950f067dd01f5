// Once-for-all nets on four settings of GPU and batch (HELP, ofa_mbv3_gpus.csv).
#include <fmt/format.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "latency_models.h"
#include "lathe/core/random.h"
#include "lathe/core/statistics.h"
#include "lathe/latency/fit/adapt.h"
#include "lathe/latency/fit/baselines.h"
#include "lathe/latency/fit/ridge.h"
#include "lathe/latency/samples/csv_import.h"
#include "lathe/space/builtin_spaces.h"

namespace lathe::bench {
namespace {

using latency::LatencySample;

constexpr const char* kSettings[] = {"2080ti_1", "titan_rtx_32", "titan_xp_64", "v100_1"};
constexpr std::size_t kTail = 1000;
constexpr std::size_t kFewShot = 20;
constexpr std::size_t kSourceSamples = 1000;

std::vector<LatencySample> read(const std::filesystem::path& data, const space::Space& space,
                                const char* setting) {
  return latency::read_latency_csv(data / "ofa_mbv3_gpus.csv", space, setting);
}

/// Training samples first. With `tail` the file's last rows stay where they are, at the end.
std::vector<LatencySample> shuffled(std::vector<LatencySample> samples, int split, bool tail) {
  Rng rng = Rng::derived(1, {static_cast<std::uint64_t>(split)});
  shuffle(std::span(samples).first(samples.size() - (tail ? kTail : 0)), rng);
  return samples;
}

std::string percent(std::vector<double> values) {
  return fmt::format("{:.2f}", 100 * median(values));
}

void print_row(const space::Space& space, const std::vector<LatencySample>& samples,
               const char* setting, std::size_t count, int splits, bool tail) {
  std::vector<double> ridge, plain, macs;
  for (int split = 0; split < splits; ++split) {
    const std::vector<LatencySample> mixed = shuffled(samples, split, tail);
    const auto train = std::span(mixed).first(count);
    const auto rest = std::span(mixed).subspan(tail ? mixed.size() - kTail : count);
    ridge.push_back(model_error(latency::fit_ridge(space, {}, train), rest).mape);
    const auto baselines = latency::baseline_errors(space, train, rest);
    plain.push_back(baselines.ridge.mape);
    macs.push_back(baselines.macs_linear.mape);
  }
  fmt::print("| {} | {} | {} | {} | {} |\n", setting, count, percent(ridge), percent(plain),
             percent(macs));
  std::fflush(stdout);
}

}  // namespace

void print_gpu_errors(const std::filesystem::path& data, int splits) {
  const auto space = space::make_space("ofa_mbv3_w1.0");
  for (const bool tail : {false, true}) {
    fmt::print("\nMAPE in %, median of {} splits; tested on {}.\n\n", splits,
               tail ? "the file's last 1,000 rows" : "all nets not trained on");
    fmt::print(
        "| setting | samples | ridge | plain ridge | MACs-linear |\n|---|---|---|---|---|\n");
    for (const char* setting : kSettings) {
      const auto samples = read(data, *space, setting);
      for (const std::size_t count : {100, 300, 1000}) {
        print_row(*space, samples, setting, count, splits, tail);
      }
    }
  }
}

void print_few_shot(const std::filesystem::path& data, int splits) {
  const auto space = space::make_space("ofa_mbv3_w1.0");
  fmt::print(
      "\nA ridge of {} nets of one setting, adapted with {} of another; median of {} splits, "
      "tested "
      "on the nets of neither. Own: a ridge of the {} nets alone.\n\n"
      "| from | to | MAPE before | after | own | Spearman before | after | own |\n"
      "|---|---|---|---|---|---|---|---|\n",
      kSourceSamples, kFewShot, splits, kFewShot);
  for (const char* from : kSettings) {
    for (const char* to : kSettings) {
      if (from == to) continue;
      const auto source = read(data, *space, from);
      const auto target = read(data, *space, to);
      std::vector<latency::ModelError> errors[3];
      for (int split = 0; split < splits; ++split) {
        const auto train = shuffled(source, split, false);
        const auto mixed = shuffled(target, split, false);
        const auto few = std::span(mixed).subspan(kSourceSamples, kFewShot);
        const auto rest = std::span(mixed).subspan(kSourceSamples + kFewShot);
        const auto model = latency::fit_ridge(*space, {}, std::span(train).first(kSourceSamples));
        errors[0].push_back(model_error(model, rest));
        errors[1].push_back(model_error(*latency::adapt(model, *space, {}, few), rest));
        errors[2].push_back(model_error(latency::fit_ridge(*space, {}, few), rest));
      }
      std::string row = fmt::format("| {} | {} ", from, to);
      for (const auto& of : errors) {
        std::vector<double> mape;
        for (const auto& error : of) mape.push_back(error.mape);
        row += "| " + percent(mape) + " ";
      }
      for (const auto& of : errors) {
        std::vector<double> rank;
        for (const auto& error : of) rank.push_back(error.spearman);
        row += fmt::format("| {:.4f} ", median(rank));
      }
      fmt::print("{}|\n", row);
      std::fflush(stdout);
    }
  }
}

}  // namespace lathe::bench

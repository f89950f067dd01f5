// How often answers keep their targets, how much of the target they use and what accuracy is lost,
// on a device that is known exactly: tests/measure/simulated_phone.h. Everything is measured anew
// in each repetition, as lathe specialize does it; only accuracies are a formula, so that the best
// answer is known. Beside Lathe's choice stand what is predicted, unmeasured; the first that one
// session finds within its target; and the first of which the median of three sessions is.
// With NETS above 0 the latency model is fitted to exactly so many. BURSTS is the chance that a
// session begins a burst of three in which the device takes FACTOR times as long; 0.02 and 1.6 if
// not given.
//   lathe_answers_that_hold_bench [REPETITIONS [FIRST_SEED [NETS [BURSTS [FACTOR]]]]]
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/statistics.h"
#include "lathe/measure/random_net.h"
#include "lathe/run/answers/device_noise.h"
#include "lathe/run/answers/winners.h"
#include "lathe/search/reachable_range.h"
#include "lathe/space/space_file.h"
#include "measure/simulated_phone.h"

namespace lathe::bench {
namespace {

using testing::chance_within;
using testing::phone_layers;
using testing::phone_ms;

constexpr int kTargets = 5;

/// A formula: each choice upwards helps, more of all helps less, and kernels and widths together
/// more than alone.
class KnownAccuracy final : public accuracy::AccuracyPredictor {
 public:
  KnownAccuracy(const space::Space& space, std::uint64_t seed) : space_(space) {
    Rng rng(seed);
    for (std::size_t i = 0; i < space.decisions().size(); ++i) {
      weights_.push_back(0.3 + rng.uniform());
    }
  }

  using AccuracyPredictor::predict;
  void predict(std::span<const space::Arch> archs, std::span<double> out) const override {
    for (std::size_t a = 0; a < archs.size(); ++a) {
      double sum = 0, before = 0;
      for (std::size_t i = 0; i < weights_.size(); ++i) {
        const int choices = space_.decisions()[i].num_choices();
        const double share = space_.alive(archs[a], static_cast<int>(i)) && choices > 1
                                 ? archs[a].choices[i] / static_cast<double>(choices - 1)
                                 : 0.0;
        sum += weights_[i] * (share + 0.3 * share * before);
        before = share;
      }
      out[a] = 0.8 + 0.15 * (1 - std::exp(-2 * sum / static_cast<double>(weights_.size())));
    }
  }
  const std::string& space_name() const override { return space_.name(); }

 private:
  const space::Space& space_;
  std::vector<double> weights_;
};

/// What nets truly take.
class KnownLatency final : public latency::LatencyModel {
 public:
  explicit KnownLatency(const space::Space& space) : space_(space) {}
  using LatencyModel::predict_ms;
  double predict_ms(const space::Arch& arch) const override {
    return phone_ms(phone_layers(space_.graph(arch)));
  }
  const std::string& space_name() const override { return space_.name(); }

 private:
  const space::Space& space_;
};

/// What one way of choosing came to, over all targets of all repetitions.
struct Tally {
  int answers = 0;
  int kept = 0;  ///< more often than not
  std::vector<double> used, lost_points, sessions;
};

class Repetition {
 public:
  Repetition(const std::shared_ptr<const space::Space>& space, std::uint64_t seed, int nets,
             const testing::PhoneNoise& phone)
      : space_(*space), phone_(phone), latency_(*space), accuracy_(*space, seed) {
    if (nets > 0) {
      options_.latency.fewest_nets = options_.latency.most_nets = nets;
    }
    options_.latency.make_runner = [seed, phone](const graph::Net&, const std::string&) {
      return std::make_unique<testing::SimulatedPhone>(phone, seed);
    };
    device_ = run::measure_device(space, options_.latency, seed, folder_, [](const Progress&) {});
    noise_ = run::measure_noise(device_, options_, folder_, [](const Progress&) {});
    const search::ReachableRange range = search::reachable_range(*space, *device_.latency);
    const double low = range.fastest.predicted_ms;
    const double width = (range.slowest.predicted_ms - low) / (kTargets + 1);
    for (int i = 1; i <= kTargets; ++i) {
      targets_ms_.push_back(low + i * width);
    }
    Rng rng(seed);
    found_ = search::search_targets(*space, *device_.latency, accuracy_, targets_ms_,
                                    options_.search, rng);
    best_ =
        search::search_targets(*space, latency_, accuracy_, best_limits(), options_.search, rng);
  }

  void tally(std::map<std::string, Tally>& tallies) {
    for (std::size_t i = 0; i < found_.targets.size(); ++i) {
      const search::TargetResult& target = found_.targets[i];
      add(tallies["1 predicted, not measured"], i, target.candidates.front().arch, 0);
      choose(tallies["2 one session within the target"], i,
             [&](const space::Arch& arch) { return session_ms(arch); });
      choose(tallies["3 median of three sessions within"], i, [&](const space::Arch& arch) {
        return run::median_ms(arch, target.target_ms,
                              [&](const space::Arch& of) { return session_ms(of); });
      });
    }
    sessions_ = 0;
    const std::vector<run::Winner> winners = run::find_winners(
        found_.targets, found_.front,
        {.deviation = noise_.deviation,
         .disturbed = [&] { return run::disturbed(noise_, space_, *device_.runner, options_); }},
        [&](const space::Arch& arch) { return session_ms(arch); }, [](const Progress&) {});
    for (std::size_t i = 0; i < winners.size(); ++i) {
      const std::string verdict = measure::to_string(winners[i].verdict);
      add(tallies["4 Lathe, judged " + verdict], i, winners[i].candidate.arch,
          sessions_ / kTargets);
    }
  }

 private:
  double session_ms(const space::Arch& arch) {
    ++sessions_;
    return run::session_ms(*device_.runner, measure::random_net(space_, arch, 1), options_);
  }

  /// What the best answers may truly take: sessions keep the target half of the time.
  std::vector<double> best_limits() const {
    double low = 0.9, high = 1.1;  // of the target
    for (int i = 0; i < 40; ++i) {
      const double middle = (low + high) / 2;
      (chance_within(middle, 1.0, phone_) > 0.5 ? low : high) = middle;
    }
    std::vector<double> limits_ms = targets_ms_;
    for (double& ms : limits_ms) {
      ms *= low;
    }
    return limits_ms;
  }

  /// The first candidate that is measured within the target.
  template <class Measure>
  void choose(Tally& tally, std::size_t i, const Measure& measure) {
    sessions_ = 0;
    const search::TargetResult& target = found_.targets[i];
    const search::Candidate* chosen = &target.candidates.back();
    for (const search::Candidate& candidate : target.candidates) {
      if (measure(candidate.arch) <= target.target_ms) {
        chosen = &candidate;
        break;
      }
    }
    add(tally, i, chosen->arch, sessions_);
  }

  void add(Tally& tally, std::size_t i, const space::Arch& arch, double sessions) {
    const double ms = latency_.predict_ms(arch);
    const double target_ms = targets_ms_[i];
    ++tally.answers;
    tally.kept += chance_within(ms, target_ms, phone_) > 0.5 ? 1 : 0;
    tally.used.push_back(ms / target_ms);
    tally.lost_points.push_back(
        100 * (best_.targets[i].candidates.front().predicted_accuracy - accuracy_.predict(arch)));
    tally.sessions.push_back(sessions);
  }

  const space::Space& space_;
  testing::PhoneNoise phone_;
  testing::TemporaryFolder temporary_;
  run::RunFolder folder_ = run::RunFolder::open(temporary_.path() / "run", "", false);
  KnownLatency latency_;
  KnownAccuracy accuracy_;
  run::SpecializeOptions options_;
  run::Device device_;
  run::DeviceNoise noise_;
  std::vector<double> targets_ms_;
  search::SearchResult found_, best_;
  double sessions_ = 0;
};

void print(const std::map<std::string, Tally>& tallies) {
  fmt::print(
      "| chosen by | answers | keep the target | of the target used | top-1 points below the "
      "best | sessions each |\n|---|---|---|---|---|---|\n");
  for (const auto& [name, tally] : tallies) {
    fmt::print("| {} | {} | {} | {:.1f}% | {:.3f} | {:.0f} |\n", name.substr(2), tally.answers,
               tally.kept, 100 * mean(tally.used), mean(tally.lost_points), mean(tally.sessions));
  }
}

}  // namespace
}  // namespace lathe::bench

int main(int argc, char** argv) {
  try {
    const int repetitions = argc > 1 ? std::atoi(argv[1]) : 200;
    const int first_seed = argc > 2 ? std::atoi(argv[2]) : 1;
    const int nets = argc > 3 ? std::atoi(argv[3]) : 0;
    lathe::testing::PhoneNoise phone;
    if (argc > 4) phone.burst_chance = std::atof(argv[4]);
    if (argc > 5) phone.burst = std::atof(argv[5]);
    const std::shared_ptr<const lathe::space::Space> space =
        lathe::space::open_space("mbv3_28", {.in_channels = 1, .num_classes = 10});
    std::map<std::string, lathe::bench::Tally> tallies;
    for (int i = 0; i < repetitions; ++i) {
      lathe::bench::Repetition(space, static_cast<std::uint64_t>(first_seed + i), nets, phone)
          .tally(tallies);
      std::fprintf(stderr, "\r%d of %d", i + 1, repetitions);
    }
    std::fputc('\n', stderr);
    lathe::bench::print(tallies);
  } catch (const std::exception& error) {
    fmt::print(stderr, "answers_that_hold: {}\n", error.what());
    return 1;
  }
  return 0;
}

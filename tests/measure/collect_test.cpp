#include "lathe/measure/collect.h"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/latency/samples/sample_plan.h"
#include "measure/counting_runner.h"
#include "space/tiny_spaces.h"

namespace lathe::measure {
namespace {

using lathe::testing::CountingRunner;
using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using lathe::testing::tiny_mobile;

const CollectOptions kQuick{.timing = {.rounds = 2, .runs_per_round = 3}, .group_size = 4};

struct Collecting {
  TemporaryFolder folder;
  std::unique_ptr<space::Space> space = space::make_mobile_space(tiny_mobile());
  std::filesystem::path path = folder / "log.jsonl";

  latency::BlockLog log(const Runner& runner) const {
    return {path, *space, fingerprint(runner, *space)};
  }
};

TEST(CollectBlocksTest, TimesEachDistinctBlockOnce) {
  const Collecting c;
  CountingRunner runner;
  latency::BlockLog log = c.log(runner);
  std::vector<Progress> reports;
  collect_blocks(runner, *c.space, log, kQuick, [&](const Progress& p) { reports.push_back(p); });
  const auto blocks = c.space->distinct_blocks();
  ASSERT_EQ(log.measurements().size(), blocks.size());
  const latency::BlockCosts costs =
      latency::block_costs(fingerprint(runner, *c.space), log.measurements());
  for (const space::Block& block : blocks) {
    EXPECT_NEAR(costs.coefficients_ms.at(block.key()), space::lower({&block, 1}).size(), 1e-9);
  }
  EXPECT_EQ(log.measurements()[0].turns_ms.size(), 2U);
  EXPECT_EQ(log.measurements()[0].anchor_ms.size(), 2U);
  ASSERT_EQ(reports.size(), blocks.size());
  EXPECT_EQ(reports.back().done, reports.back().total);
}

TEST(CollectBlocksTest, AnchorsUndoTheMachinesDrift) {
  const Collecting c;
  CountingRunner runner;
  runner.drift(1.1);  // from group to group
  latency::BlockLog log = c.log(runner);
  collect_blocks(runner, *c.space, log, kQuick, {});
  ASSERT_GT(runner.calls(), 2);
  const latency::BlockCosts costs =
      latency::block_costs(fingerprint(runner, *c.space), log.measurements());
  std::vector<double> ratios;
  for (const space::Block& block : c.space->distinct_blocks()) {
    ratios.push_back(costs.coefficients_ms.at(block.key()) / space::lower({&block, 1}).size());
  }
  for (const double ratio : ratios) {
    EXPECT_NEAR(ratio / ratios[0], 1, 1e-5);
  }
}

/// Breaks at the given call.
class BreakingRunner final : public Runner {
 public:
  explicit BreakingRunner(int at_call) : at_call_(at_call) {}
  std::vector<Timing> time(std::span<const graph::Net> nets, const TimingOptions& options,
                           const TurnFn& progress) override {
    if (runner_.calls() == at_call_) throw Error("unplugged");
    return runner_.time(nets, options, progress);
  }
  std::string device() const override { return runner_.device(); }
  std::string runtime() const override { return runner_.runtime(); }
  int batch() const override { return 1; }
  int threads() const override { return 1; }

 private:
  CountingRunner runner_;
  int at_call_;
};

TEST(CollectBlocksTest, GoesOnWhereItStopped) {
  const Collecting c;
  BreakingRunner breaking(2);
  latency::BlockLog first = c.log(breaking);
  EXPECT_EQ(text_thrown<Error>([&] { collect_blocks(breaking, *c.space, first, kQuick, {}); }),
            "unplugged");
  EXPECT_EQ(first.measurements().size(), 8U);

  CountingRunner runner;
  latency::BlockLog log = c.log(runner);
  EXPECT_EQ(log.measurements(), first.measurements());
  collect_blocks(runner, *c.space, log, kQuick, {});
  std::set<std::string> keys;
  for (const latency::BlockMeasurement& m : log.measurements()) {
    EXPECT_TRUE(keys.insert(m.key).second) << m.key;
  }
  EXPECT_EQ(keys.size(), c.space->distinct_blocks().size());

  const int calls = runner.calls();
  collect_blocks(runner, *c.space, log, kQuick, {});
  EXPECT_EQ(runner.calls(), calls);
}

TEST(CollectSamplesTest, GivesEveryNetItsTimes) {
  const Collecting c;
  CountingRunner runner;
  latency::SampleLog log(c.path, *c.space, fingerprint(runner, *c.space));
  const std::vector<space::Arch> plan = latency::sample_plan(*c.space, {.samples = 10});
  collect_samples(runner, *c.space, plan, log, kQuick, {});
  const auto samples = latency::read_samples(c.path, *c.space).samples;
  ASSERT_EQ(samples.size(), plan.size());
  for (std::size_t i = 0; i < plan.size(); ++i) {
    EXPECT_EQ(samples[i].arch, plan[i]);
    // The net and the node by which it takes pixels.
    EXPECT_NEAR(samples[i].median_ms, c.space->graph(plan[i]).size() + 1, 1e-9);
    EXPECT_EQ(samples[i].repeats, 6);
    EXPECT_EQ(samples[i].rounds_ms.size(), 2U);
    EXPECT_EQ(samples[i].anchor_ms.size(), 2U);
  }
}

// Groups of four: the second is disturbed twice, the third until it is given up.
TEST(CollectSamplesTest, TimesADisturbedGroupAgain) {
  const Collecting c;
  CountingRunner runner;
  CollectOptions options = kQuick;
  options.again = 2;
  runner.disturb({1.02, /*second:*/ 1.5, 1.3, 1, /*third:*/ 1.6, 1.4, 1.5, /*fourth:*/ 1.4, 1.4});
  latency::SampleLog log(c.path, *c.space, fingerprint(runner, *c.space));
  const std::vector<space::Arch> plan = latency::sample_plan(*c.space, {.samples = 15});
  collect_samples(runner, *c.space, plan, log, options, {});
  EXPECT_EQ(runner.calls(), 8) << "once, thrice, thrice, once: the device has become slower";
  const std::vector<double> expected{1.02, 1, 1.4, 1.4};
  for (std::size_t i = 0; i < plan.size(); ++i) {
    EXPECT_NEAR(log.samples()[i].median_ms / (c.space->graph(plan[i]).size() + 1), expected[i / 4],
                1e-6);
  }
  // What was quiet before counts when it goes on.
  CountingRunner later;
  later.disturb({1.2, 1.01});
  latency::SampleLog again(c.path, *c.space, fingerprint(later, *c.space));
  const std::vector<space::Arch> more = latency::sample_plan(*c.space, {.samples = 3, .seed = 9});
  collect_samples(later, *c.space, more, again, options, {});
  EXPECT_EQ(later.calls(), 2);
}

TEST(CollectSamplesTest, TimesNothingAgainWhenThereIsNoTime) {
  const Collecting c;
  CountingRunner runner;
  CollectOptions options = kQuick;
  options.again = 2;
  options.in_time = [&] { return runner.calls() < 3; };
  runner.disturb({1, /*second:*/ 1.5, 1.3, /*third:*/ 1.6, /*fourth:*/ 1.8});
  latency::SampleLog log(c.path, *c.space, fingerprint(runner, *c.space));
  const std::vector<space::Arch> plan = latency::sample_plan(*c.space, {.samples = 15});
  collect_samples(runner, *c.space, plan, log, options, {});
  EXPECT_EQ(runner.calls(), 5) << "once, twice, and then every group once";
  EXPECT_EQ(log.samples().size(), 15U);
}

// A crash may cut the file at any byte: what follows is the same as without it.
TEST(CollectSamplesTest, GoesOnAfterACutAtAnyByte) {
  const Collecting c;
  const std::vector<space::Arch> plan = latency::sample_plan(*c.space, {.samples = 6});
  const auto collect = [&] {
    CountingRunner runner;
    latency::SampleLog log(c.path, *c.space, fingerprint(runner, *c.space));
    collect_samples(runner, *c.space, latency::remaining(plan, log.samples(), "log"), log, kQuick,
                    {});
  };
  collect();
  const std::string whole = read_file(c.path);
  for (std::size_t size = 0; size < whole.size(); size += 13) {
    write_file_atomic(c.path, whole.substr(0, size));
    collect();
    ASSERT_EQ(read_file(c.path), whole) << "cut after byte " << size;
  }
}

TEST(CollectBlocksTest, RefusesGroupsOfNothing) {
  const Collecting c;
  CountingRunner runner;
  latency::BlockLog log = c.log(runner);
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { collect_blocks(runner, *c.space, log, {.group_size = 0}, {}); }),
            "[measure::collect_blocks] group_size must be > 0, got 0");
  latency::SampleLog samples(c.folder / "samples.jsonl", *c.space, fingerprint(runner, *c.space));
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { collect_samples(runner, *c.space, {}, samples, {.group_size = -1}, {}); }),
            "[measure::collect_samples] group_size must be > 0, got -1");
}

}  // namespace
}  // namespace lathe::measure

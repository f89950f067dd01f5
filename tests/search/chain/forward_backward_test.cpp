#include "lathe/search/chain/forward_backward.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/space/min_sum.h"
#include "lathe/space/slot_chain.h"
#include "space_fixtures/random_trellis.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::search {
namespace {

using lathe::testing::all_paths;
using lathe::testing::random_trellis;
using lathe::testing::text_thrown;
using space::Path;
using space::Trellis;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Enumerated {
  double log_partition = -kInfinity;
  std::map<Path, double> probability;
  std::vector<double> transitions;
  std::vector<double> states;
};

Enumerated enumerate(const Trellis& trellis, std::span<const double> energies) {
  Enumerated all;
  double z = 0;
  for (const Path& path : all_paths(trellis)) {
    const double energy = Trellis::total(path, energies);
    if (std::isfinite(energy)) {
      all.probability[path] = std::exp(-energy);
      z += std::exp(-energy);
    }
  }
  all.log_partition = std::log(z);
  all.transitions.assign(trellis.num_transitions(), 0.0);
  all.states.assign(trellis.num_states(), 0.0);
  for (auto& [path, probability] : all.probability) {
    probability /= z;
    all.states.back() += probability;
    for (const std::uint32_t t : path) {
      all.transitions[t] += probability;
      all.states[trellis.transition(t).from] += probability;
    }
  }
  return all;
}

void expect_all_near(std::span<const double> a, std::span<const double> b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_NEAR(a[i], b[i], tolerance) << i;
  }
}

TEST(ForwardBackwardTest, EqualsEnumeration) {
  Rng rng(1);
  int without = 0;
  for (int round = 0; round < 400; ++round) {
    const Trellis trellis = random_trellis(rng);
    std::vector<double> energies = lathe::testing::random_costs(trellis, rng, -3, 3);
    if (round % 3 == 0) {
      const double holes[] = {std::numeric_limits<double>::quiet_NaN(), kInfinity, -kInfinity};
      for (double& energy : energies) {
        energy = rng.bernoulli(0.2) ? holes[rng.below(3)] : energy;
      }
    }
    const Enumerated expected = enumerate(trellis, energies);
    if (expected.probability.empty()) {
      ++without;
      EXPECT_EQ(text_thrown<std::invalid_argument>([&] { ForwardBackward(trellis, energies); }),
                "[search::ForwardBackward] no path can be taken");
      continue;
    }
    const ForwardBackward found(trellis, energies);
    EXPECT_NEAR(found.log_partition(), expected.log_partition, 1e-12);
    expect_all_near(found.transition_marginals(), expected.transitions, 1e-12);
    expect_all_near(found.state_marginals(), expected.states, 1e-12);
    const std::vector<double> costs = lathe::testing::random_costs(trellis, rng);
    double mean = 0;
    for (const auto& [path, probability] : expected.probability) {
      mean += probability * Trellis::total(path, costs);
      EXPECT_NEAR(found.log_probability(path), std::log(probability), 1e-11);
    }
    EXPECT_NEAR(found.expected_total(costs), mean, 1e-12);
  }
  EXPECT_GT(without, 3) << "trellises without a path were among them";
}

TEST(ForwardBackwardTest, SamplesByProbability) {
  Rng rng(2);
  for (int round = 0; round < 20; ++round) {
    const Trellis trellis = random_trellis(rng);
    const std::vector<double> energies = lathe::testing::random_costs(trellis, rng, 0, 4);
    const Enumerated expected = enumerate(trellis, energies);
    if (expected.probability.empty()) {
      continue;
    }
    const ForwardBackward distribution(trellis, energies);
    constexpr int kDraws = 20000;
    std::map<Path, int> drawn;
    for (int i = 0; i < kDraws; ++i) {
      ++drawn[distribution.sample(rng)];
    }
    int total = 0;
    for (const auto& [path, p] : expected.probability) {
      const double deviation = std::sqrt(kDraws * p * (1 - p));
      EXPECT_NEAR(drawn[path], kDraws * p, 5 * deviation + 1) << round;
      total += drawn[path];
    }
    EXPECT_EQ(total, kDraws) << "only paths that exist";
  }
}

TEST(ForwardBackwardTest, AnotherGaugeLeavesTheDistribution) {
  Rng rng(3);
  for (int round = 0; round < 100; ++round) {
    const Trellis trellis = random_trellis(rng);
    const std::vector<double> energies = lathe::testing::random_costs(trellis, rng);
    if (all_paths(trellis).empty()) {
      continue;
    }
    const ForwardBackward here(trellis, energies);
    const ForwardBackward there(trellis, lathe::testing::regauged(trellis, energies, rng));
    EXPECT_NEAR(here.log_partition(), there.log_partition(), 1e-12);
    expect_all_near(here.transition_marginals(), there.transition_marginals(), 1e-12);
  }
}

// Where exp(-energy) is 0 or infinite for every path.
TEST(ForwardBackwardTest, ColdAndFarFromZero) {
  Rng rng(4);
  for (int round = 0; round < 50; ++round) {
    const Trellis trellis = random_trellis(rng);
    const std::vector<double> costs = lathe::testing::random_costs(trellis, rng, -1, 1);
    const auto least = space::min_sum(trellis, costs);
    if (!least) {
      continue;
    }
    std::vector<double> energies;
    for (const double cost : costs) {
      energies.push_back(1e9 * cost + 1e6);
    }
    const ForwardBackward cold(trellis, energies);
    EXPECT_NEAR(-cold.log_partition() / Trellis::total(least->path, energies), 1, 1e-9);
    EXPECT_EQ(cold.sample(rng), least->path);
    for (const std::uint32_t t : least->path) {
      EXPECT_NEAR(cold.transition_marginals()[t], 1, 1e-6);
    }
  }
}

TEST(ForwardBackwardTest, FreeEnergysSlopeIsTheExpectedCost) {
  const lathe::testing::TinySpace space;
  const space::SlotChain chain(space);
  Rng rng(5);
  const std::vector<double> error = lathe::testing::random_costs(chain.trellis(), rng);
  const std::vector<double> latency = lathe::testing::random_costs(chain.trellis(), rng);
  const auto log_partition = [&](double price) {
    std::vector<double> energies;
    for (std::size_t t = 0; t < error.size(); ++t) {
      energies.push_back(error[t] + price * latency[t]);
    }
    return ForwardBackward(chain.trellis(), energies);
  };
  const double slope =
      (log_partition(0.7 + 1e-5).log_partition() - log_partition(0.7 - 1e-5).log_partition()) /
      2e-5;
  EXPECT_NEAR(-slope, log_partition(0.7).expected_total(latency), 1e-7);
}

TEST(ForwardBackwardTest, OfASpacePathsAreItsNets) {
  const lathe::testing::TinySpace space;
  const space::SlotChain chain(space);
  const std::vector<double> energies(chain.trellis().num_transitions(), 0.0);
  const ForwardBackward uniform(chain.trellis(), energies);
  const auto archs = lathe::testing::all_archs(space);
  EXPECT_NEAR(uniform.log_partition(), std::log(static_cast<double>(archs.size())), 1e-12);
  Rng rng(6);
  for (int i = 0; i < 100; ++i) {
    const space::Arch arch = chain.arch(uniform.sample(rng));
    EXPECT_EQ(space.canonical(arch), arch);
  }
}

TEST(ForwardBackwardTest, SameSeedSamePaths) {
  Rng rng(7);
  const Trellis trellis = random_trellis(rng);
  const ForwardBackward distribution(trellis, lathe::testing::random_costs(trellis, rng));
  Rng a(8);
  Rng b(8);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(distribution.sample(a), distribution.sample(b));
  }
}

}  // namespace
}  // namespace lathe::search

#include "measure/simulated_phone.h"

#include <gtest/gtest.h>

#include "lathe/core/statistics.h"
#include "space/tiny_spaces.h"

namespace lathe::testing {
namespace {

TEST(SimulatedPhoneTest, IsNoSumOverBlocks) {
  const auto space = space::make_mobile_space(tiny_mobile());
  const auto ms = [&](const space::Arch& arch) {
    return phone_ms(phone_layers(space->graph(arch)));
  };
  // What two changes bring together is not what they bring one by one.
  Rng rng(3);
  double most = 0;
  for (int i = 0; i < 200; ++i) {
    const space::Arch base = space->sample(rng);
    space::Arch one = base, other = base, both = base;
    const auto count = static_cast<double>(base.choices.size());
    const auto a = static_cast<std::size_t>(rng.uniform() * count);
    const auto b = static_cast<std::size_t>(rng.uniform() * count);
    if (a == b) continue;
    one.choices[a] = both.choices[a] = space->largest().choices[a];
    other.choices[b] = both.choices[b] = space->largest().choices[b];
    most = std::max(most, std::abs(ms(both) - ms(one) - ms(other) + ms(base)) / ms(base));
  }
  EXPECT_GT(most, 0.005);
  EXPECT_LT(ms(space->smallest()), ms(space->largest()));
}

TEST(SimulatedPhoneTest, KeepsLimitsAsOftenAsIsSaid) {
  const PhoneNoise noise{.drift_memory = 0.9};
  SimulatedPhone phone(noise, 5);
  for (const double limit_ms : {0.99, 1.0, 1.01, 1.02}) {
    int within = 0;
    constexpr int kSessions = 40000;
    for (int i = 0; i < kSessions; ++i) {
      within += median(phone.session(1.0, 100)) <= limit_ms ? 1 : 0;
    }
    EXPECT_NEAR(static_cast<double>(within) / kSessions, chance_within(1.0, limit_ms, noise), 0.03)
        << limit_ms;
  }
}

}  // namespace
}  // namespace lathe::testing

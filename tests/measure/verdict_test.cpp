#include "lathe/measure/verdict.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "lathe/core/random.h"

namespace lathe::measure {
namespace {

LimitEvidence seen(int within, int sessions) {
  LimitEvidence test;
  for (int i = 0; i < sessions; ++i) test.observe(i < within);
  return test;
}

/// The definition, summed up: the mean of (2p)^k (2(1 - p))^(n - k) over p from 1/2 to 1.
double evidence_by_integration(int k, int n) {
  constexpr int kSteps = 200000;
  double sum = 0;
  for (int i = 0; i < kSteps; ++i) {
    const double p = 0.5 + (i + 0.5) / (2.0 * kSteps);
    sum += std::pow(2 * p, k) * std::pow(2 * (1 - p), n - k);
  }
  return sum / kSteps;
}

TEST(VerdictTest, EvidenceIsTheMeanOfAllBets) {
  for (const auto& [k, n] : {std::pair{0, 0}, {1, 1}, {0, 1}, {3, 5}, {12, 12}, {0, 9}, {40, 61}}) {
    const LimitEvidence test = seen(k, n);
    EXPECT_NEAR(test.evidence_within(), evidence_by_integration(k, n),
                1e-6 * test.evidence_within())
        << k << " of " << n;
    EXPECT_NEAR(test.evidence_above(), evidence_by_integration(n - k, n),
                1e-6 * test.evidence_above())
        << k << " of " << n;
  }
  EXPECT_NEAR(seen(12, 12).evidence_within(), 8191.0 / 13, 1e-9);
  EXPECT_TRUE(std::isfinite(seen(5000, 10000).evidence_within()));
}

TEST(VerdictTest, SaysWithinAboveOrUndecided) {
  EXPECT_EQ(seen(12, 12).verdict(0.002), Verdict::kWithin);
  EXPECT_EQ(seen(0, 12).verdict(0.002), Verdict::kAbove);
  EXPECT_EQ(seen(12, 12).verdict(0.001), Verdict::kUndecided);
  EXPECT_EQ(LimitEvidence().verdict(0.9), Verdict::kUndecided);
  EXPECT_THROW(LimitEvidence().verdict(0), std::invalid_argument);
  EXPECT_THROW(LimitEvidence().verdict(1), std::invalid_argument);
}

/// The share of 4,000 nets at that chance of a session to keep the limit that are ever called
/// `wrong` while one looks after each of 200 sessions.
double share_called(Verdict wrong, double chance, double alpha) {
  Rng rng(7);
  int called = 0;
  constexpr int kNets = 4000;
  for (int net = 0; net < kNets; ++net) {
    LimitEvidence test;
    for (int session = 0; session < 200; ++session) {
      test.observe(rng.uniform() < chance);
      if (test.verdict(alpha) == wrong) {
        ++called;
        break;
      }
    }
  }
  return static_cast<double>(called) / kNets;
}

TEST(VerdictTest, LookingUntilItFitsMakesNoMoreErrorsThanStated) {
  // At the boundary, 2.6 standard errors of 4,000 nets above alpha.
  EXPECT_LE(share_called(Verdict::kWithin, 0.5, 0.05), 0.05 + 0.009);
  EXPECT_LE(share_called(Verdict::kAbove, 0.5, 0.05), 0.05 + 0.009);
  EXPECT_GT(share_called(Verdict::kWithin, 0.5, 0.05), 0.005) << "looked too seldom to say so";
  EXPECT_GT(share_called(Verdict::kWithin, 0.9, 0.01), 0.99);
}

TEST(VerdictTest, ASessionThatDependsOnTheOnesBeforeDoesNotFoolIt) {
  // Whoever chooses the next chance knowing all that was seen, but never above 1/2.
  Rng rng(11);
  int called = 0;
  for (int net = 0; net < 4000; ++net) {
    LimitEvidence test;
    for (int session = 0; session < 200; ++session) {
      const double chance = test.evidence_within() > 3 ? 0.5 : 0.3 + 0.2 * (session % 2);
      test.observe(rng.uniform() < chance);
      if (test.verdict(0.05) == Verdict::kWithin) {
        ++called;
        break;
      }
    }
  }
  EXPECT_LE(called, 4000 * 0.059);
}

TEST(VerdictTest, TheNextOne) {
  EXPECT_DOUBLE_EQ(chance_of_next(14, 14), 15.0 / 16);
  EXPECT_DOUBLE_EQ(chance_of_next(0, 0), 0.5);
}

}  // namespace
}  // namespace lathe::measure

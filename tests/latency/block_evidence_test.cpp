#include "lathe/latency/models/block_evidence.h"

#include <gtest/gtest.h>

#include <Eigen/LU>
#include <cmath>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"

namespace lathe::latency {
namespace {

using lathe::testing::text_thrown;
using Net = std::vector<std::string>;

/// Four samples of blocks a to d; c and d only ever together.
BlockEvidence evidence() {
  return {.keys = {"a", "b", "c", "d"},
          .nets = {{0, 1}, {0, 0, 1}, {0, 2, 3}, {1, 2, 3}},
          .weights_per_ms2 = {1, 0.25, 1, 0.5},
          .penalty_per_ms2 = 1e-3,
          .noise = 0.1};
}

TEST(BlockEvidenceTest, DeviationsAreThoseOfTheInverse) {
  Eigen::MatrixXd rows(4, 4);
  rows << 1, 1, 0, 0, 2, 1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1;
  const Eigen::Vector4d weights(1, 0.25, 1, 0.5);
  const Eigen::MatrixXd inverse =
      (rows.transpose() * weights.asDiagonal() * rows + 1e-3 * Eigen::MatrixXd::Identity(4, 4))
          .inverse();
  const Eigen::Vector4d query(0, 2, 1, 1);
  const std::vector<Net> nets{{"b", "c", "b", "d"}};
  EXPECT_NEAR(certainty(evidence(), nets)[0].deviation_ms,
              0.1 * std::sqrt(query.dot(inverse * query)), 1e-12);
}

TEST(BlockEvidenceTest, KnowsWhichSumsTheSamplesDetermine) {
  const std::vector<Net> nets{{"a"}, {"c", "d"},      {"a", "b", "c", "d"},
                              {"c"}, {"c", "c", "d"}, {"e"}};
  std::vector<bool> identifiable;
  for (const Certainty& of : certainty(evidence(), nets)) identifiable.push_back(of.identifiable);
  EXPECT_EQ(identifiable, (std::vector<bool>{true, true, true, false, false, false}));
}

TEST(BlockEvidenceTest, GoesThroughJson) {
  EXPECT_EQ(block_evidence_from_json(to_json(evidence()), "f"), evidence());
}

TEST(BlockEvidenceTest, RefusesWhatIsNone) {
  const auto message_with = [](const char* key, const nlohmann::json& value) {
    nlohmann::json json = to_json(evidence());
    json[key] = value;
    return text_thrown<Error>([&] { block_evidence_from_json(json, "f"); });
  };
  EXPECT_EQ(message_with("nets", {"0 1", "0 x", "1", "2"}),
            "f: \"nets\": expected positions separated by spaces, got \"0 x\"");
  EXPECT_EQ(message_with("nets", {"0 1", "0 4", "1", "2"}), "f: has a block at position 4 of 4");
  EXPECT_EQ(message_with("nets", {"0 1"}), "f: must have as many weights as nets, and some");
  EXPECT_EQ(message_with("penalty_per_ms2", 0.0),
            "f: must have a finite penalty > 0 and noise >= 0");
  EXPECT_EQ(message_with("weights_per_ms2", {1.0, -1.0, 1.0, 1.0}),
            "f: must have finite weights >= 0");
  BlockEvidence wrong = evidence();
  wrong.nets[0][0] = -1;
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { certainty(wrong, std::vector<Net>{{"a"}}); }),
            "[latency::certainty] evidence has a block at position -1 of 4");
}

}  // namespace
}  // namespace lathe::latency

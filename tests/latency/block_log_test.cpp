#include "lathe/latency/samples/block_log.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "core/temporary_folder.h"
#include "latency/latency_fixtures.h"
#include "lathe/core/random.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::latency {
namespace {

using lathe::testing::fingerprint_of;
using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

std::string first_key(const space::Space& space) { return space.distinct_blocks().front().key(); }

TEST(BlockLogTest, WritesAndContinuesAfterATornLine) {
  const TemporaryFolder dir;
  const TinySpace space;
  const BlockMeasurement a{first_key(space), {1.5, 1.25}, {2, 2}};
  const BlockMeasurement b{space.distinct_blocks().back().key(), {0.25}, {}};
  BlockLog(dir / "b.jsonl", space, fingerprint_of(space)).append(a);
  std::ofstream(dir / "b.jsonl", std::ios::app) << "{\"block\": \"mbc";
  BlockLog log(dir / "b.jsonl", space, fingerprint_of(space));
  EXPECT_EQ(log.measurements(), std::vector<BlockMeasurement>{a});
  log.append(b);
  const BlockLog again(dir / "b.jsonl", space, fingerprint_of(space));
  EXPECT_EQ(again.measurements(), (std::vector<BlockMeasurement>{a, b}));
}

TEST(BlockLogTest, RefusesWhatIsNoMeasurementOfTheSpace) {
  const TemporaryFolder dir;
  const TinySpace space;
  const std::filesystem::path path = dir / "b.jsonl";
  BlockLog log(path, space, fingerprint_of(space));
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              log.append({first_key(space), {1, NAN}, {}});
            }),
            "[latency::BlockLog::append] turns_ms and anchor_ms of \"" + first_key(space) +
                "\" must be > 0, and turns_ms not empty");
  log.append({first_key(space), {1}, {1}});
  const std::string good = read_file(path);
  const auto message_with = [&](const std::string& line) {
    std::ofstream(path) << good << line << '\n';
    return text_thrown<Error>([&] { BlockLog(path, space, fingerprint_of(space)); });
  };
  EXPECT_EQ(message_with(R"({"block": "conv", "turns_ms": [1], "anchor_ms": [1]})"),
            path.string() + ":3: \"conv\" is no block of the space");
  EXPECT_EQ(message_with("{\"block\": \"" + first_key(space) +
                         "\", \"turns_ms\": [-1], \"anchor_ms\": [1]}"),
            path.string() + ":3: turns_ms and anchor_ms must be times > 0, and turns_ms have one");
  EXPECT_EQ(message_with("{\"block\": 3}"),
            path.string() + ":3: \"block\": expected a string, got 3");
  EXPECT_EQ(message_with(good.substr(0, good.find('\n'))),
            path.string() +
                ":3: expected a measurement, got a second fingerprint; join files with "
                "`lathe latency merge`");
}

TEST(BlockLogTest, RefusesOtherConditions) {
  const TemporaryFolder dir;
  const TinySpace space;
  BlockLog(dir / "b.jsonl", space, fingerprint_of(space)).append({first_key(space), {1}, {1}});
  Fingerprint other = fingerprint_of(space);
  other.batch = 8;
  EXPECT_EQ(text_thrown<Error>([&] { BlockLog(dir / "b.jsonl", space, other); }),
            (dir / "b.jsonl").string() +
                ": measured under other conditions: batch: 1 against 8; name another file");
}

TEST(BlockLogTest, EitherLoadsOrRefusesMutatedFiles) {
  const TemporaryFolder dir;
  const TinySpace space;
  const std::filesystem::path path = dir / "b.jsonl";
  BlockLog log(path, space, fingerprint_of(space));
  for (const space::Block& block : space.distinct_blocks()) {
    log.append({block.key(), {1, 2}, {3, 4}});
  }
  const std::string good = read_file(path);
  Rng rng(1);
  for (int i = 0; i < 300; ++i) {
    std::string bytes = good;
    for (int k = 0; k < 3; ++k) {
      bytes[rng.below(static_cast<std::uint32_t>(bytes.size()))] =
          static_cast<char>(rng.below(256));
    }
    std::ofstream(path, std::ios::binary) << bytes;
    try {
      BlockLog(path, space, fingerprint_of(space));
    } catch (const Error&) {
    }
  }
}

TEST(BlockCostsTest, AreMediansWithoutTheDrift) {
  const TinySpace space;
  const auto blocks = space.distinct_blocks();
  const std::vector<BlockMeasurement> measured{{blocks[0].key(), {1, 9, 2}, {4, 4}},
                                               {blocks[1].key(), {5}, {4, 4}},
                                               {blocks[2].key(), {6, 6}, {8, 8}},
                                               {blocks[1].key(), {7}, {4, 4}}};
  const BlockCosts costs = block_costs(fingerprint_of(space), measured);
  EXPECT_EQ(costs.bias_ms, 0);
  EXPECT_EQ(costs.coefficients_ms.size(), 3U);
  EXPECT_NEAR(costs.coefficients_ms.at(blocks[0].key()), 2, 1e-12);
  EXPECT_NEAR(costs.coefficients_ms.at(blocks[1].key()), 6, 1e-12);  // of 5 and 7
  EXPECT_NEAR(costs.coefficients_ms.at(blocks[2].key()), 3, 1e-12);  // at half the speed
}

}  // namespace
}  // namespace lathe::latency

#include "lathe/latency/sample.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "space_fixtures/message_of.h"
#include "space_fixtures/temp_dir.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::latency {
namespace {

using lathe::testing::message_of;
using lathe::testing::TempDir;
using lathe::testing::TinySpace;

Fingerprint fingerprint_of(const space::Space& space) {
  return {.device = "cpu",
          .runtime = "torch",
          .precision = "float32",
          .space = space.name(),
          .in_channels = space.task().in_channels,
          .num_classes = space.task().num_classes,
          .input_size = space.task().input_size};
}

void append_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::app) << text;
}

TEST(SampleLogTest, WritesAndContinues) {
  const TempDir dir;
  const TinySpace space;
  Rng rng(1);
  const LatencySample a{space.sample(rng), 1.5, 1.75, 20};
  const LatencySample b{space.sample(rng), 0.1, 0.1, 3};
  {
    SampleLog log(dir / "s.jsonl", space, fingerprint_of(space));
    EXPECT_TRUE(log.samples().empty());
    log.append(a);
  }
  SampleLog log(dir / "s.jsonl", space, fingerprint_of(space));
  EXPECT_EQ(log.samples(), std::vector<LatencySample>{a});
  log.append(b);
  const LatencySamples read = read_samples(dir / "s.jsonl", space);
  EXPECT_EQ(read.fingerprint, fingerprint_of(space));
  EXPECT_EQ(read.samples, (std::vector<LatencySample>{a, b}));
}

TEST(SampleLogTest, SurvivesATornLine) {
  const TempDir dir;
  const TinySpace space;
  const LatencySample a{space.largest(), 1.5, 1.75, 20};
  SampleLog(dir / "s.jsonl", space, fingerprint_of(space)).append(a);
  append_text(dir / "s.jsonl", "{\"arch\": {\"spa");
  SampleLog log(dir / "s.jsonl", space, fingerprint_of(space));
  log.append(a);
  EXPECT_EQ(read_samples(dir / "s.jsonl", space).samples, (std::vector<LatencySample>{a, a}));
}

TEST(SampleLogTest, RefusesOtherConditions) {
  const TempDir dir;
  const TinySpace space;
  SampleLog(dir / "s.jsonl", space, fingerprint_of(space)).append({space.smallest(), 1, 1, 1});
  Fingerprint other = fingerprint_of(space);
  other.threads = 8;
  EXPECT_EQ(message_of<Error>([&] { SampleLog(dir / "s.jsonl", space, other); }),
            (dir / "s.jsonl").string() +
                ": measured under other conditions: threads: 1 against 8; name another file");
}

TEST(SampleLogTest, RefusesBadFigures) {
  const TempDir dir;
  const TinySpace space;
  SampleLog log(dir / "s.jsonl", space, fingerprint_of(space));
  EXPECT_EQ(message_of<std::invalid_argument>([&] {
              log.append({space.smallest(), NAN, 1, 1});
            }),
            "[latency::SampleLog::append] median_ms, p90_ms and repeats must be > 0, got nan, "
            "1.000000 and 1");
  EXPECT_EQ(message_of<Error>([&] { read_samples(dir / "s.jsonl", space); }),
            (dir / "s.jsonl").string() + ": expected latency samples, got a missing or empty file");
  log.append({space.smallest(), 1, 1, 1});
  append_text(dir / "s.jsonl", "{\"arch\": " + space.to_json(space.smallest()).dump() +
                                   ", \"median_ms\": -1, \"p90_ms\": 2, \"repeats\": 1}\n");
  EXPECT_EQ(message_of<Error>([&] { read_samples(dir / "s.jsonl", space); }),
            (dir / "s.jsonl").string() +
                ":3: median_ms, p90_ms and repeats must be > 0, got -1, 2 and 1");
}

TEST(SampleLogTest, RefusesAnotherSpacesFile) {
  const TempDir dir;
  const TinySpace tiny;
  const TinySpace other(2, "other");
  SampleLog(dir / "s.jsonl", other, fingerprint_of(other)).append({other.smallest(), 1, 1, 1});
  const std::string text = message_of<Error>([&] { read_samples(dir / "s.jsonl", tiny); });
  EXPECT_NE(text.find("\"other\""), std::string::npos) << text;
  EXPECT_NE(text.find("\"tiny\""), std::string::npos) << text;
}

}  // namespace
}  // namespace lathe::latency

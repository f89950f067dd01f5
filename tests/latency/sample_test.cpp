#include "lathe/latency/samples/sample.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "core/temporary_folder.h"
#include "latency/latency_fixtures.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::latency {
namespace {

using lathe::testing::fingerprint_of;
using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

void append_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::app) << text;
}

TEST(SampleLogTest, WritesAndContinues) {
  const TemporaryFolder dir;
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
  const TemporaryFolder dir;
  const TinySpace space;
  const LatencySample a{space.largest(), 1.5, 1.75, 20};
  SampleLog(dir / "s.jsonl", space, fingerprint_of(space)).append(a);
  append_text(dir / "s.jsonl", "{\"arch\": {\"spa");
  SampleLog log(dir / "s.jsonl", space, fingerprint_of(space));
  log.append(a);
  EXPECT_EQ(read_samples(dir / "s.jsonl", space).samples, (std::vector<LatencySample>{a, a}));
}

TEST(SampleLogTest, KeepsEveryRunAndCorrectsForDriftWhenRead) {
  const TemporaryFolder dir;
  const TinySpace space;
  const LatencySample usual{space.largest(), 2, 2.5, 2, {{2}, {2.5}}, {1, 1}};
  const LatencySample slow{space.smallest(), 4, 5, 2, {{4}, {5}}, {2, 2}};
  SampleLog log(dir / "s.jsonl", space, fingerprint_of(space));
  for (const LatencySample& sample : {usual, usual, slow}) {
    log.append(sample);
  }
  const std::vector<LatencySample> raw{usual, usual, slow};
  EXPECT_EQ(SampleLog(dir / "s.jsonl", space, fingerprint_of(space)).samples(), raw);
  const auto samples = read_samples(dir / "s.jsonl", space).samples;
  EXPECT_EQ(samples[0], usual);
  EXPECT_NEAR(samples[2].median_ms, 2, 1e-12);
  EXPECT_NEAR(samples[2].p90_ms, 2.5, 1e-12);
  EXPECT_NEAR(samples[2].rounds_ms[1][0], 2.5, 1e-12);
}

TEST(SampleLogTest, RefusesMixedFingerprintsAndBadRepeats) {
  const TemporaryFolder dir;
  const TinySpace space;
  const std::filesystem::path path = dir / "s.jsonl";
  SampleLog(path, space, fingerprint_of(space)).append({space.smallest(), 1, 1, 1});
  const std::string good = read_file(path);
  append_text(path, good);
  EXPECT_EQ(text_thrown<Error>([&] { read_samples(path, space); }),
            path.string() +
                ":3: expected a measurement, got a second fingerprint; join files with "
                "`lathe latency merge`");
  std::filesystem::remove(path);
  append_text(path, good.substr(0, good.size() - 2) + ", \"rounds_ms\": [[1, 0]]}\n");
  EXPECT_EQ(text_thrown<Error>([&] { read_samples(path, space); }),
            path.string() +
                ":2: median_ms, p90_ms and repeats must be > 0, got 1.0, 1.0 and 1; so must all "
                "times in rounds_ms and anchor_ms");
}

TEST(SampleLogTest, EitherLoadsOrRefusesMutatedFiles) {
  const TemporaryFolder dir;
  const TinySpace space;
  const std::filesystem::path path = dir / "s.jsonl";
  SampleLog log(path, space, fingerprint_of(space));
  log.append({space.largest(), 2, 2.5, 2, {{2}, {2.5}}, {1, 1}});
  log.append({space.smallest(), 1, 1, 1});
  const std::string good = read_file(path);
  Rng rng(1);
  for (int i = 0; i < 500; ++i) {
    std::string bytes = good;
    for (int k = 0; k < 3; ++k) {
      const auto at = rng.below(static_cast<std::uint32_t>(bytes.size()));
      bytes[at] = static_cast<char>(rng.below(256));
    }
    std::ofstream(path, std::ios::binary) << bytes;
    try {
      read_samples(path, space);
    } catch (const Error&) {  // the only exception allowed
    }
  }
}

TEST(SampleLogTest, RefusesOtherConditions) {
  const TemporaryFolder dir;
  const TinySpace space;
  SampleLog(dir / "s.jsonl", space, fingerprint_of(space)).append({space.smallest(), 1, 1, 1});
  Fingerprint other = fingerprint_of(space);
  other.threads = 8;
  EXPECT_EQ(text_thrown<Error>([&] { SampleLog(dir / "s.jsonl", space, other); }),
            (dir / "s.jsonl").string() +
                ": measured under other conditions: threads: 1 against 8; name another file");
}

TEST(SampleLogTest, RefusesBadFigures) {
  const TemporaryFolder dir;
  const TinySpace space;
  SampleLog log(dir / "s.jsonl", space, fingerprint_of(space));
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              log.append({space.smallest(), NAN, 1, 1});
            }),
            "[latency::SampleLog::append] median_ms, p90_ms and repeats must be > 0, got nan, "
            "1.000000 and 1; so must all times in rounds_ms and anchor_ms");
  EXPECT_EQ(
      text_thrown<Error>([&] { read_samples(dir / "s.jsonl", space); }),
      (dir / "s.jsonl").string() + ": expected latency measurements, got a missing or empty file");
  log.append({space.smallest(), 1, 1, 1});
  append_text(dir / "s.jsonl", "{\"arch\": " + space.to_json(space.smallest()).dump() +
                                   ", \"median_ms\": -1, \"p90_ms\": 2, \"repeats\": 1}\n");
  EXPECT_EQ(text_thrown<Error>([&] { read_samples(dir / "s.jsonl", space); }),
            (dir / "s.jsonl").string() +
                ":3: median_ms, p90_ms and repeats must be > 0, got -1, 2 and 1; so "
                "must all times in rounds_ms and anchor_ms");
}

TEST(SampleLogTest, RefusesAnotherSpacesFile) {
  const TemporaryFolder dir;
  const TinySpace tiny;
  const TinySpace other(2, "other");
  SampleLog(dir / "s.jsonl", other, fingerprint_of(other)).append({other.smallest(), 1, 1, 1});
  const std::string text = text_thrown<Error>([&] { read_samples(dir / "s.jsonl", tiny); });
  EXPECT_NE(text.find("\"other\""), std::string::npos) << text;
  EXPECT_NE(text.find("\"tiny\""), std::string::npos) << text;
}

}  // namespace
}  // namespace lathe::latency

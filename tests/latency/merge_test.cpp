#include "lathe/latency/samples/merge.h"

#include <gtest/gtest.h>

#include <fstream>
#include <stdexcept>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/latency/samples/sample.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::latency {
namespace {

using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

struct MergeTest : ::testing::Test {
  TemporaryFolder dir;
  TinySpace space;
  LatencySample small{space.smallest(), 1, 1.5, 3};
  LatencySample large{space.largest(), 2, 2.5, 3};
  std::vector<std::filesystem::path> files{dir / "a.jsonl", dir / "b.jsonl"};

  Fingerprint fingerprint(int threads = 1) const {
    return {.device = "cpu",
            .runtime = "torch",
            .precision = "float32",
            .threads = threads,
            .space = space.name(),
            .in_channels = space.task().in_channels,
            .num_classes = space.task().num_classes,
            .input_size = space.task().input_size};
  }
};

TEST_F(MergeTest, KeepsEveryMeasurementOnce) {
  SampleLog(files[0], space, fingerprint()).append(small);
  SampleLog second(files[1], space, fingerprint());
  second.append(large);
  second.append(small);
  std::ofstream(files[1], std::ios::app) << "{\"arch";
  const Merged merged = merge_measurements(files, dir / "out.jsonl");
  EXPECT_EQ(merged.lines, 2);
  EXPECT_EQ(merged.duplicates, 1);
  const LatencySamples read = read_samples(dir / "out.jsonl", space);
  EXPECT_EQ(read.fingerprint, fingerprint());
  EXPECT_EQ(read.samples, (std::vector<LatencySample>{small, large}));
}

TEST_F(MergeTest, RefusesOtherConditionsMissingFilesAndOverwriting) {
  SampleLog(files[0], space, fingerprint()).append(small);
  SampleLog(files[1], space, fingerprint(2)).append(large);
  const auto out = dir / "out.jsonl";
  EXPECT_EQ(text_thrown<Error>([&] { merge_measurements(files, out); }),
            files[1].string() + ": measured under other conditions than " + files[0].string() +
                ": threads: 1 against 2");
  EXPECT_FALSE(std::filesystem::exists(out));
  EXPECT_EQ(text_thrown<Error>([&] { merge_measurements(files, files[0]); }),
            files[0].string() + ": exists; name another file");
  files[1] = dir / "none.jsonl";
  EXPECT_EQ(text_thrown<Error>([&] { merge_measurements(files, out); }),
            files[1].string() + ": expected latency measurements, got a missing or empty file");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { merge_measurements({}, out); }),
            "[latency::merge_measurements] needs at least one file");
}

}  // namespace
}  // namespace lathe::latency

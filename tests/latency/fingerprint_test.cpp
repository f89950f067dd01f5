#include "lathe/latency/samples/fingerprint.h"

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::latency {
namespace {

using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

const Fingerprint kSome{.device = "A cpu",
                        .runtime = "torch 1.13.1 channels_last",
                        .precision = "float32",
                        .batch = 2,
                        .threads = 4,
                        .space = "tiny",
                        .in_channels = 3,
                        .num_classes = 10,
                        .input_size = 24};

TEST(FingerprintTest, JsonRoundTrip) {
  EXPECT_EQ(fingerprint_from_json(to_json(kSome), "f"), kSome);
  EXPECT_EQ(difference(kSome, kSome), std::nullopt);
}

TEST(FingerprintTest, NamesTheFirstDifference) {
  Fingerprint other = kSome;
  other.threads = 1;
  other.input_size = 32;
  EXPECT_EQ(difference(kSome, other), "threads: 4 against 1");
  other = kSome;
  other.device = "B";
  EXPECT_EQ(difference(kSome, other), "device: \"A cpu\" against \"B\"");
}

TEST(FingerprintTest, RefusesBadMembers) {
  auto json = to_json(kSome);
  json["batch"] = 0;
  EXPECT_EQ(text_thrown<Error>([&] { fingerprint_from_json(json, "a.json"); }),
            "a.json: \"batch\": must be > 0, got 0");
  json.erase("device");
  EXPECT_EQ(text_thrown<Error>([&] { fingerprint_from_json(json, "a.json"); }),
            "a.json: \"device\": expected a string, got nothing");
}

TEST(FingerprintTest, RefusesAnotherSpaceOrTask) {
  const TinySpace space;
  EXPECT_NO_THROW(require_space(kSome, space, "f"));
  Fingerprint other = kSome;
  other.space = "darts";
  EXPECT_EQ(text_thrown<Error>([&] { require_space(other, space, "t.json"); }),
            "t.json: made for space \"darts\" with 3 input channels, 10 classes and input size 24, "
            "expected \"tiny\" with 3 input channels, 10 classes and input size 24");
  other = kSome;
  other.num_classes = 1000;
  EXPECT_NE(text_thrown<Error>([&] { require_space(other, space, "t.json"); }), "");
}

}  // namespace
}  // namespace lathe::latency

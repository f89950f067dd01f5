// Round trips, and everything that makes a file unfit: named.
#include "lathe/train/records/checkpoint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"

namespace lathe::train {
namespace {

using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using nlohmann::json;

Checkpoint some_checkpoint() {
  return {.weights_of = "small",
          .steps_done = 123,
          .settings = {{"seed", 1}, {"strategy", {{"method", "deps"}, {"total_steps", 8}}}},
          .state = {{"strategy", nullptr}, {"updates", 7}},
          .weights = {{"stem.conv.weight", {{2, 2}, {1, 2, 3, 4}}}, {"fc.bias", {{1}, {5}}}},
          .parts = {{"optimizer", {{"momentum", {{5}, {1, 2, 3, 4, 5}}}}},
                    {"average", {{"values", {{5}, {5, 4, 3, 2, 1}}}}},
                    {"teacher", {{"stem.conv.weight", {{1}, {9}}}}}}};
}

TEST(Checkpoint, RoundTrips) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder / "a" / "b.safetensors";
  const Checkpoint saved = some_checkpoint();
  save_checkpoint(path, saved);
  const Checkpoint loaded = load_checkpoint(path, "small");
  EXPECT_EQ(loaded.weights_of, saved.weights_of);
  EXPECT_EQ(loaded.steps_done, saved.steps_done);
  EXPECT_EQ(loaded.settings, saved.settings);
  EXPECT_EQ(loaded.state, saved.state);
  EXPECT_EQ(loaded.weights, saved.weights);
  EXPECT_EQ(loaded.parts, saved.parts);
  // Others read the weights by their own names.
  EXPECT_EQ(load_safetensors(path).tensors.at("fc.bias"), saved.weights.at("fc.bias"));
}

TEST(Checkpoint, NeedsNoMoreOfTheSettingsThanAreAsked) {
  const Checkpoint checkpoint = some_checkpoint();
  const auto text = [&](const json& expected) {
    return text_thrown<Error>([&] { check_settings(checkpoint, expected, "c"); });
  };
  check_settings(checkpoint, {{"seed", 1}}, "c");
  check_settings(checkpoint, checkpoint.settings, "c");
  EXPECT_EQ(text({{"seed", 2}}),
            "c: was made with seed = 1, this run has 2; use the same options or another --out");
  EXPECT_EQ(text({{"epochs", 4.5}}),
            "c: was made with epochs = null, this run has 4.5; use the same options or another "
            "--out");
  EXPECT_EQ(text({{"strategy", {{"method", "ofa"}}}}),
            "c: was made with strategy = {\"method\":\"deps\",\"total_steps\":8}, this run has "
            "{\"method\":\"ofa\"}; use the same options or another --out");
}

class BadCheckpoint : public ::testing::Test {
 protected:
  /// The text of loading a good checkpoint after `spoil`.
  std::string text(const std::function<void(SafetensorsFile&)>& spoil) {
    save_checkpoint(path_, some_checkpoint());
    SafetensorsFile file = load_safetensors(path_);
    spoil(file);
    save_safetensors(path_, file);
    return text_of_loading();
  }

  std::string text_of_loading() {
    const std::string text = text_thrown<Error>([&] { load_checkpoint(path_, "small"); });
    const std::string prefix = path_.string() + ": ";
    EXPECT_TRUE(text.starts_with(prefix)) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    return text.substr(std::min(prefix.size(), text.size()));
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "checkpoint";
};

TEST_F(BadCheckpoint, OfAnotherSpace) {
  EXPECT_EQ(text([](SafetensorsFile& file) { file.metadata["space"] = "ofa_mbv3_w1.2"; }),
            "is a checkpoint of space ofa_mbv3_w1.2, expected small; use another --out or --space");
}

TEST_F(BadCheckpoint, WithoutWhatMakesItOne) {
  EXPECT_EQ(text([](SafetensorsFile& file) { file.metadata.erase("lathe_checkpoint"); }),
            "not a lathe checkpoint: no \"lathe_checkpoint\" in its metadata");
  for (const std::string key : {"space", "steps_done", "settings", "state"}) {
    EXPECT_EQ(text([&](SafetensorsFile& file) { file.metadata.erase(key); }),
              "metadata \"" + key + "\" is missing");
  }
  EXPECT_EQ(text([](SafetensorsFile& file) { file.metadata["lathe_checkpoint"] = "1"; }),
            "checkpoint format 1, this version reads 2; train again in another --out");
  for (const std::string bad : {"", "-1", "1e3", "12 ", "1234567890123456789"}) {
    EXPECT_EQ(text([&](SafetensorsFile& file) { file.metadata["steps_done"] = bad; }),
              "steps_done must be a number, got \"" + bad + "\"");
  }
  for (const std::string bad : {"[1]", "7"}) {
    EXPECT_EQ(text([&](SafetensorsFile& file) { file.metadata["settings"] = bad; }),
              "its settings are not a JSON object");
  }
  // Brackets within brackets end neither the program nor the stack.
  for (const std::string& bad : {std::string(1000000, '['), std::string("{\"seed\":")}) {
    EXPECT_NE(text([&](SafetensorsFile& file) { file.metadata["settings"] = bad; }), "");
    EXPECT_NE(text([&](SafetensorsFile& file) { file.metadata["state"] = bad; }), "");
  }
}

TEST_F(BadCheckpoint, CutAtAnyByte) {
  save_checkpoint(path_, some_checkpoint());
  const std::string bytes = read_file(path_);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    write_file_atomic(path_, bytes.substr(0, size));
    EXPECT_NE(text_of_loading(), "") << size;
  }
  write_file_atomic(path_, bytes + "x");
  EXPECT_NE(text_of_loading(), "");
  std::filesystem::remove(path_);
  EXPECT_NE(text_of_loading(), "");
}

}  // namespace
}  // namespace lathe::train

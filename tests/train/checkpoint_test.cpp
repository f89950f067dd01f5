// Round trips, and everything that makes a file unfit: named, and with nothing changed.
#include "lathe/train/checkpoint.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "nn/small_space.h"
#include "nn/supernet_state.h"

namespace lathe::train {
namespace {

using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using nlohmann::json;

const json kSettings{{"seed", 1}, {"strategy", {{"method", "deps"}, {"total_steps", 8}}}};

struct State {
  nn::Supernet supernet;
  Sgd optimizer;

  State(std::shared_ptr<const space::Space> space, std::uint64_t seed)
      : supernet(std::move(space), seed), optimizer(supernet.parameters(), {}) {
    Rng rng(seed);
    supernet.load_state(lathe::testing::random_state(supernet, rng), "test");
    optimizer.momentum().copy_(at::arange(supernet.parameters().size(), at::kFloat) +
                               static_cast<double>(seed));
  }
  std::pair<TensorMap, FloatTensor> tensors() const {
    return {supernet.state(), nn::from_torch(optimizer.momentum())};
  }
};

TEST(Checkpoint, RoundTrips) {
  const TemporaryFolder folder;
  const State saved(lathe::testing::small_space(), 1);
  const std::filesystem::path path = folder / "a" / "b.safetensors";
  save_checkpoint(path, saved.supernet, saved.optimizer, 123, kSettings);
  State loaded(lathe::testing::small_space(), 2);
  EXPECT_NE(loaded.tensors(), saved.tensors());
  EXPECT_EQ(load_checkpoint(path, loaded.supernet, loaded.optimizer, kSettings), 123);
  EXPECT_EQ(loaded.tensors(), saved.tensors());

  State weights(lathe::testing::small_space(), 3);
  const FloatTensor momentum = weights.tensors().second;
  load_supernet(path, weights.supernet);
  EXPECT_EQ(weights.tensors().first, saved.tensors().first);
  EXPECT_EQ(weights.tensors().second, momentum);
  EXPECT_EQ(weights.supernet.parameters().grads().abs().max().item<float>(), 0);
}

TEST(Checkpoint, NeedsNoMoreOfTheSettingsThanAreAsked) {
  const TemporaryFolder folder;
  State state(lathe::testing::small_space(), 1);
  save_checkpoint(folder / "c", state.supernet, state.optimizer, 1, kSettings);
  EXPECT_EQ(load_checkpoint(folder / "c", state.supernet, state.optimizer, {{"seed", 1}}), 1);
}

class BadCheckpoint : public ::testing::Test {
 protected:
  /// The text of loading a good checkpoint after `spoil`; nothing may have changed.
  std::string text(const std::function<void(SafetensorsFile&)>& spoil,
                   const json& settings = kSettings) {
    const State good(lathe::testing::small_space(), 1);
    save_checkpoint(path_, good.supernet, good.optimizer, 7, kSettings);
    SafetensorsFile file = load_safetensors(path_);
    spoil(file);
    save_safetensors(path_, file);
    return text_of_loading(settings);
  }

  std::string text_of_loading(const json& settings = kSettings) {
    State state(lathe::testing::small_space(), 2);
    const auto before = state.tensors();
    const std::string text = text_thrown<Error>(
        [&] { load_checkpoint(path_, state.supernet, state.optimizer, settings); });
    EXPECT_EQ(state.tensors(), before) << "something was changed";
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
  // The same name for another task: the momentum's size shows it.
  const State other(
      lathe::testing::small_space({.in_channels = 2, .num_classes = 7, .input_size = 9}), 1);
  save_checkpoint(path_, other.supernet, other.optimizer, 7, kSettings);
  EXPECT_EQ(text_of_loading(), "the optimizer's momentum is missing or of another size");
}

TEST_F(BadCheckpoint, OfOtherSettings) {
  const auto none = [](SafetensorsFile&) {};
  json settings = kSettings;
  settings["seed"] = 2;
  EXPECT_EQ(text(none, settings),
            "was made with seed = 1, this run has 2; use the same options or "
            "another --out");
  settings = kSettings;
  settings["epochs"] = 4.5;
  EXPECT_EQ(text(none, settings),
            "was made with epochs = null, this run has 4.5; use the same "
            "options or another --out");
  settings = kSettings;
  settings["strategy"]["total_steps"] = 9;
  EXPECT_EQ(text(none, settings),
            "was made with strategy = {\"method\":\"deps\",\"total_steps\":8}, this run has "
            "{\"method\":\"deps\",\"total_steps\":9}; use the same options or another --out");
  for (const std::string bad : {"", "[1]", "{\"seed\":", "7"}) {
    EXPECT_EQ(text([&](SafetensorsFile& file) { file.metadata["settings"] = bad; }),
              "its settings are not a JSON object");
  }
}

TEST_F(BadCheckpoint, WithoutWhatMakesItOne) {
  for (const std::string key : {"lathe_checkpoint", "space", "steps_done", "settings"}) {
    EXPECT_EQ(text([&](SafetensorsFile& file) { file.metadata.erase(key); }),
              "not a lathe checkpoint: no \"" + key + "\" in its metadata");
  }
  EXPECT_EQ(text([](SafetensorsFile& file) { file.metadata["lathe_checkpoint"] = "2"; }),
            "checkpoint format 2, this version reads 1");
  for (const std::string bad : {"", "-1", "1e3", "12 ", "1234567890123456789"}) {
    EXPECT_EQ(text([&](SafetensorsFile& file) { file.metadata["steps_done"] = bad; }),
              "steps_done must be a number, got \"" + bad + "\"");
  }
}

TEST_F(BadCheckpoint, WithOtherTensors) {
  EXPECT_EQ(text([](SafetensorsFile& file) { file.tensors.erase("optimizer.momentum"); }),
            "the optimizer's momentum is missing or of another size");
  EXPECT_EQ(text([](SafetensorsFile& file) { file.tensors.erase("head.bn.bias"); }),
            "tensor head.bn.bias is missing, is this a supernet of small?");
  EXPECT_EQ(text([](SafetensorsFile& file) {
              file.tensors["x"] = {{1}, {1}};
            }),
            "unknown tensor x, is this a supernet of small?");
}

TEST_F(BadCheckpoint, Damaged) {
  const State good(lathe::testing::small_space(), 1);
  save_checkpoint(path_, good.supernet, good.optimizer, 7, kSettings);
  const std::string bytes = read_file(path_);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{7}, std::size_t{100}, bytes.size() / 2, bytes.size() - 1}) {
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

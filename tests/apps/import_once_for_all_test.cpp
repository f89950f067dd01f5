// Weights of the once-for-all project's form, random and made by a program that knows no Lathe,
// come in by the script and compute what that program says.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "apps/program.h"
#include "core/temporary_folder.h"
#include "lathe/core/file.h"
#include "lathe/core/tensor_map.h"

namespace lathe::testing {
namespace {

constexpr const char* kNoPython =
    "needs python3 with NumPy; on Debian: apt-get install python3-numpy";
constexpr std::int64_t kResolution = 128;

bool has_python() { return !std::string(LATHE_PYTHON).empty(); }

std::vector<float> read_floats(const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

/// What `python3 <arguments>` prints, both streams.
struct Printed {
  int exit_code = -1;
  std::string text;
};

Printed run_python(const std::string& arguments) {
  const TemporaryFolder folder;
  const std::string log = (folder / "python.log").string();
  const std::string command =
      quoted(LATHE_PYTHON) + " " + arguments + " > " + quoted(log) + " 2>&1";
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(log)};
}

/// A folder of what once_for_all_net.py makes of a space.
class Source {
 public:
  explicit Source(std::string space) : space_(std::move(space)) {
    const Printed made = run_python(quoted(LATHE_TESTS "/apps/once_for_all_net.py") + " " + space_ +
                                    " " + quoted(folder_.path().string()));
    if (made.exit_code != 0) ADD_FAILURE() << made.text;
  }
  std::filesystem::path file(const std::string& name) const { return folder_ / name; }
  std::string word(const std::string& name) const { return quoted(file(name).string()); }
  const std::string& space() const { return space_; }

  /// The script on file `weights`, into file `out`.
  Printed take_over(const std::string& weights, const std::string& out,
                    const std::string& more) const {
    return run_python(quoted(LATHE_SCRIPTS "/import_once_for_all.py") + " " + word(weights) +
                      " --space " + space_ + " --out " + word(out) + " " + more);
  }
  std::string of_one_net() const { return "--arch " + word("arch.json"); }

  /// The largest difference of the net in file `weights` to logits.f32, in shares of the largest of
  /// those.
  double difference(const std::string& weights) const {
    const std::string module = weights + ".pt";
    const Outcome exported = run_lathe("export --format torchscript --weights " + word(weights) +
                                       " --out " + word(module));
    EXPECT_EQ(exported.exit_code, 0) << exported.err;
    torch::jit::Module net = torch::jit::load(file(module).string());
    std::vector<float> pixels = read_floats(file("pixels.f32"));
    std::vector<float> expected = read_floats(file("logits.f32"));
    const c10::InferenceMode no_gradients;
    const at::Tensor x = at::from_blob(pixels.data(), {2, 3, kResolution, kResolution}, at::kFloat);
    const at::Tensor logits = net.forward({x}).toTensor();
    const at::Tensor y = at::from_blob(expected.data(), {2, 3}, at::kFloat);
    return ((logits - y).abs().max() / y.abs().max()).item<double>();
  }

 private:
  std::string space_;
  TemporaryFolder folder_;
};

class ImportOnceForAll : public ::testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Spaces, ImportOnceForAll,
                         ::testing::Values("ofa_mbv3_w1.0", "ofa_mbv3_w1.2", "ofa_proxyless_w1.3"),
                         [](const auto& param) {
                           std::string name = param.param;
                           name.resize(name.rfind('.'));
                           return name + std::string(param.param).substr(name.size() + 1);
                         });

/// A slice of a depthwise kernel went through its matrices, in another order of additions.
void expect_same_but_statistics(const TensorMap& of_run, const TensorMap& of_file) {
  ASSERT_EQ(of_run.size(), of_file.size());
  for (const auto& [name, tensor] : of_file) {
    ASSERT_TRUE(of_run.contains(name)) << name;
    const FloatTensor& other = of_run.at(name);
    ASSERT_EQ(other.shape, tensor.shape) << name;
    if (name.find(".running_") != std::string::npos) {
      EXPECT_NE(other, tensor) << name << ": not recalibrated";
      continue;
    }
    const float tolerance = name.ends_with("depthwise.conv.weight") ? 1e-5F : 0.0F;
    for (std::size_t i = 0; i < tensor.values.size(); ++i) {
      ASSERT_NEAR(other.values[i], tensor.values[i], tolerance) << name;
    }
  }
}

TEST_P(ImportOnceForAll, ComputesTheSame) {
  if (!has_python()) GTEST_SKIP() << kNoPython;
  const Source source(GetParam());
  const Printed printed = source.take_over("supernet.pth", "net.safetensors", source.of_one_net());
  ASSERT_EQ(printed.exit_code, 0) << printed.text;
  const double sliced = source.difference("net.safetensors");
  EXPECT_LE(sliced, 1e-4) << "one net of a supernet";

  const Printed one = source.take_over("specialized.pth", "one.safetensors",
                                       "--image-size 128 --arch " + source.word("net.config"));
  ASSERT_EQ(one.exit_code, 0) << one.text;
  const double alone = source.difference("one.safetensors");
  EXPECT_LE(alone, 1e-4) << "a specialized net";
  std::printf("%s: largest difference of the logits %.2g of the largest, alone %.2g\n", GetParam(),
              sliced, alone);

  ASSERT_EQ(source.take_over("legacy.pth", "legacy.safetensors", source.of_one_net()).exit_code, 0);
  EXPECT_EQ(read_file(source.file("legacy.safetensors")),
            read_file(source.file("net.safetensors")));
}

TEST_P(ImportOnceForAll, SupernetIsARun) {
  if (!has_python()) GTEST_SKIP() << kNoPython;
  const Source source(GetParam());
  const Printed printed =
      source.take_over("supernet.pth", "run",
                       "--image-size 128 --validation-size 6 --dataset " + source.word("images"));
  ASSERT_EQ(printed.exit_code, 0) << printed.text;
  const std::string net = " --run " + source.word("run") + " --arch " + source.word("arch.json");
  const Outcome evaluated = run_lathe("evaluate --json --threads 1" + net);
  ASSERT_EQ(evaluated.exit_code, 0) << evaluated.err;
  EXPECT_EQ(nlohmann::json::parse(evaluated.out).at("images"), 6);

  const Outcome exported =
      run_lathe("export --format safetensors --out " + source.word("out.safetensors") + net);
  ASSERT_EQ(exported.exit_code, 0) << exported.err;
  ASSERT_EQ(source.take_over("supernet.pth", "net.safetensors", source.of_one_net()).exit_code, 0);
  expect_same_but_statistics(load_safetensors(source.file("out.safetensors")).tensors,
                             load_safetensors(source.file("net.safetensors")).tensors);
}

TEST(ImportOnceForAllFiles, ReadsWhatTorchWrites) {
  if (!has_python()) GTEST_SKIP() << kNoPython;
  const Source source("ofa_mbv3_w1.0");
  if (!std::filesystem::exists(source.file("torch.pth"))) {
    GTEST_SKIP() << "needs torch in Python; on Debian: apt-get install python3-torch";
  }
  std::string before;
  for (const std::string name : {"supernet.pth", "torch.pth", "torch_legacy.pth"}) {
    const Printed printed = source.take_over(name, name + ".safetensors", source.of_one_net());
    ASSERT_EQ(printed.exit_code, 0) << printed.text;
    const std::string now = read_file(source.file(name + ".safetensors"));
    EXPECT_TRUE(before.empty() || now == before) << name;
    before = now;
  }
}

TEST(ImportOnceForAllFiles, RefusesInOneLine) {
  if (!has_python()) GTEST_SKIP() << kNoPython;
  const Source source("ofa_mbv3_w1.0");
  const std::string images = "--dataset " + source.word("images");
  const auto expect_refused = [&](const std::string& weights, const std::string& more,
                                  const std::string& text) {
    const Printed printed = source.take_over(weights, "refused", more);
    EXPECT_EQ(printed.exit_code, 1) << weights;
    EXPECT_EQ(printed.text, "import_once_for_all: " + source.file(weights).string() + ": " + text);
    EXPECT_FALSE(std::filesystem::exists(source.file("refused"))) << weights;
  };
  const std::string key = "blocks.5.mobile_inverted_conv.depth_conv.conv.conv.weight";
  expect_refused("missing.pth", images,
                 "blocks.5.depth_conv.conv.weight is missing: are these weights of "
                 "ofa_mbv3_w1.0?\n");
  expect_refused("shape.pth", images,
                 key + " is (144, 1, 5, 5), expected (144, 1, 7, 7) of ofa_mbv3_w1.0\n");
  expect_refused("unknown.pth", images,
                 "blocks.99.more.weight is none of the tensors of ofa_mbv3_w1.0\n");
  expect_refused("specialized.pth", images,
                 "blocks.1.mobile_inverted_conv.inverted_bottleneck.conv.weight is (48, 16, 1, 1), "
                 "expected (96, 16, 1, 1) of ofa_mbv3_w1.0\n");
  expect_refused("evil.pth", images, "holds posix.mkdir, which is no tensor\n");
  EXPECT_FALSE(std::filesystem::exists(source.file("was_called")));
  for (const std::string name : {"none.pth", "cut.pth", "legacy_cut.pth"}) {
    const Printed printed = source.take_over(name, "refused", images);
    EXPECT_EQ(printed.exit_code, 1) << name;
    EXPECT_EQ(printed.text.find(source.file(name).string() + ": can't be read: "), 21U)
        << printed.text;
    EXPECT_EQ(lines_of(printed.text).size(), 1U) << printed.text;
  }
  expect_refused(
      "supernet.pth", "--dataset " + source.word("images/.."),
      "expected 3 folders, one a class, in " + source.file("images/..").string() + ", got 1\n");
}

}  // namespace
}  // namespace lathe::testing

// Nets as a stranger uses them: out of the files that lathe train leaves, fed pixels as they are in
// the test set's files, by programs that are not Lathe. Each must reach the accuracy of
// result.json.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "apps/tiny_run.h"
#include "lathe/core/file.h"
#include "lathe/core/tensor_map.h"
#include "naive_executor.h"
#ifdef LATHE_OPENCV_DNN
#include <opencv2/dnn.hpp>
#endif

namespace lathe {
namespace {

using testing::kSyntheticSide;
using testing::Outcome;
using testing::quoted;
using testing::run_lathe;

constexpr std::int64_t kImages = 200;
constexpr std::size_t kPlane = std::size_t{kSyntheticSide} * kSyntheticSide;

bool has_node() { return std::system("node --version > /dev/null 2>&1") == 0; }

/// What a shell command prints, both streams; it has to succeed. Nothing if it exits with 77: to be
/// skipped.
std::string succeed(const std::string& command) {
  const testing::TemporaryFolder folder;
  const std::string log = (folder / "log").string();
  const int status = std::system(("(" + command + ") > " + quoted(log) + " 2>&1").c_str());
  if (WEXITSTATUS(status) == 77) return "";
  EXPECT_EQ(status, 0) << read_file(log);
  return read_file(log);
}

class UseANet : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    tiny_ = new testing::TinyRun;
    write_json(tiny_->folder() / "arch.json", arch());
    train(out(""), "--epochs 6");
    const std::string images = read_file(tiny_->data() / "t10k-images-idx3-ubyte");
    for (const char pixel : images.substr(16)) {
      pixels_.push_back(static_cast<float>(static_cast<unsigned char>(pixel)) / 255.0F);
    }
    labels_ = read_file(tiny_->data() / "t10k-labels-idx1-ubyte").substr(8);
  }
  static void TearDownTestSuite() {
    delete tiny_;
    tiny_ = nullptr;
  }

  static void train(const std::filesystem::path& folder, const std::string& options) {
    const Outcome outcome = run_lathe(
        "train --method plain --space mbv3_28 --batch-size 50 --train-threads 1"
        " --validation-size 100 --data-dir " +
        quoted(tiny_->data().string()) + " --arch " +
        quoted((tiny_->folder() / "arch.json").string()) + " --out " + quoted(folder.string()) +
        " " + options);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }
  static nlohmann::ordered_json arch() {
    const auto space = space::open_space("mbv3_28");
    nlohmann::ordered_json json = space->to_json(space->smallest());
    json.erase("r");
    return json;
  }
  static std::filesystem::path out(const std::string& file) {
    return tiny_->folder() / "plain" / file;
  }
  static nlohmann::json result() { return read_json(out("result.json")); }

  /// The share of images whose largest logit is that of their label. logits: [kImages, classes].
  static double accuracy(const float* logits, std::int64_t classes) {
    int right = 0;
    for (std::int64_t i = 0; i < kImages; ++i, logits += classes) {
      right += std::max_element(logits, logits + classes) - logits == labels_[i];
    }
    return static_cast<double>(right) / static_cast<double>(kImages);
  }

  static inline testing::TinyRun* tiny_ = nullptr;
  static inline std::vector<float> pixels_;  ///< in [0, 1]
  static inline std::string labels_;
};

TEST_F(UseANet, ResultSaysWhatItExpects) {
  const nlohmann::json json = result();
  EXPECT_GT(json.at("test_top1"), 0.3) << "too little learned for the other tests to mean much";
  EXPECT_EQ(json.at("input_range"), (nlohmann::json{0, 1}));
  EXPECT_EQ(json.at("input_layout"), "NCHW");
  EXPECT_EQ(json.at("input_colors"), "gray");
  EXPECT_EQ(json.at("input_size"), kSyntheticSide);
  EXPECT_EQ(json.at("resize").at("center_crop_share"), 1);
  EXPECT_EQ(json.at("classes").size(), 10U);
  EXPECT_EQ(json.at("classes").at(9), "Ankle boot");  // by the name of the data set
  EXPECT_EQ(json.at("normalization").at("mean").size(), 1U);
}

TEST_F(UseANet, TorchScriptOnPixels) {
  torch::jit::ExtraFilesMap files{{"input.json", ""}};
  torch::jit::Module net = torch::jit::load(out("model.pt").string(), c10::nullopt, files);
  const nlohmann::json expects = nlohmann::json::parse(files["input.json"]);
  for (const auto& [key, value] : expects.items()) {
    EXPECT_EQ(value, result().at(key)) << key;
  }
  const c10::InferenceMode no_gradients;
  const at::Tensor x =
      at::from_blob(pixels_.data(), {kImages, 1, kSyntheticSide, kSyntheticSide}, at::kFloat);
  const at::Tensor logits = net.forward({x}).toTensor().contiguous();
  EXPECT_EQ(accuracy(logits.data_ptr<float>(), logits.size(1)), result().at("test_top1"));
}

TEST_F(UseANet, TorchScriptInAProgramOfLibTorchAlone) {
  const std::string source = LATHE_EXAMPLES "/use_a_net/libtorch";
  succeed(LATHE_CONFIGURE_EXAMPLE " -S " + quoted(source) + " -B " + quoted(LATHE_BUILT_EXAMPLE) +
          " && cmake --build " + quoted(LATHE_BUILT_EXAMPLE));
  const std::string model = out("model.pt").string();
  const std::string printed = succeed(quoted(LATHE_BUILT_EXAMPLE "/classify") + " " +
                                      quoted(model) + " " + quoted(tiny_->data().string()));
  const auto right = std::lround(kImages * result().at("test_top1").get<double>());
  EXPECT_EQ(printed.substr(0, printed.find(',')),
            model + ": " + std::to_string(right) + " of 200 test images right");
}

TEST_F(UseANet, WeightsReadBackByNumPy) {
  if (std::string(LATHE_PYTHON).empty()) GTEST_SKIP() << "needs python3 with NumPy";
  const std::string printed =
      succeed(quoted(LATHE_PYTHON) + " " + quoted(LATHE_EXAMPLES "/use_a_net/read_back.py") + " " +
              quoted(out("").string()));
  EXPECT_NE(printed.find("\nclasses [\"T-shirt/top\""), std::string::npos) << printed;
  EXPECT_NE(printed.find("normalization {\"mean\""), std::string::npos) << printed;
  for (const auto& [name, tensor] : load_safetensors(out("weights.safetensors")).tensors) {
    std::string shape = "(";
    for (const std::int64_t size : tensor.shape) shape += std::to_string(size) + ", ";
    shape.resize(shape.size() - (tensor.shape.size() == 1 ? 1 : 2));
    EXPECT_NE(printed.find('\n' + name + ' ' + shape + ") "), std::string::npos) << name << shape;
  }
}

TEST_F(UseANet, OnnxInABrowser) {
  constexpr const char* kNoBrowser =
      "needs node, chromium, and npm install --ignore-scripts in web/report and in "
      "examples/use_a_net/browser";
  if (!has_node()) GTEST_SKIP() << kNoBrowser;
  constexpr std::int64_t kShown = 20;
  const c10::InferenceMode no_gradients;
  torch::jit::Module net = torch::jit::load(out("model.pt").string());
  const at::Tensor x =
      at::from_blob(pixels_.data(), {kShown, 1, kSyntheticSide, kSyntheticSide}, at::kFloat);
  const at::Tensor logits = net.forward({x}).toTensor().contiguous();
  nlohmann::json expected;
  for (const float* row = logits.data_ptr<float>(); expected.size() < kShown; row += 10) {
    expected.push_back(std::vector<float>(row, row + 10));
  }
  write_json(out("logits.json"), expected);
  const std::string printed =
      succeed("node " + quoted(LATHE_TESTS "/web/use_a_net_test.mjs") + " " +
              quoted(LATHE_CHROMIUM) + " " + quoted(out("").string()) + " " +
              quoted(tiny_->data().string()) + " " + quoted(out("logits.json").string()));
  if (printed.empty()) GTEST_SKIP() << kNoBrowser;
  std::cout << printed;
}

#ifdef LATHE_OPENCV_DNN
TEST_F(UseANet, OnnxOnPixelsInOpenCv) {
  if (CV_VERSION_MAJOR > 4 || CV_VERSION_MINOR > 6) {
    GTEST_SKIP() << "this OpenCV takes a gate for a HardSwish";  // tests/deploy/opencv_test.cpp
  }
  cv::dnn::Net net = cv::dnn::readNetFromONNX(out("model.onnx").string());
  std::vector<float> logits;
  for (std::int64_t i = 0; i < kImages; ++i) {
    cv::Mat image(kSyntheticSide, kSyntheticSide, CV_32F,
                  &pixels_[static_cast<std::size_t>(i) * kPlane]);
    net.setInput(cv::dnn::blobFromImage(image), "input");
    const cv::Mat output = net.forward("logits");
    logits.insert(logits.end(), output.ptr<float>(), output.ptr<float>() + output.total());
  }
  EXPECT_EQ(accuracy(logits.data(), 10), result().at("test_top1"));
}
#endif

constexpr const char* kOnnxRuntimePackage =
    LATHE_EXAMPLES "/runners/onnxruntime_node/node_modules/onnxruntime-node";
constexpr const char* kNoOnnxRuntime =
    "needs node, and npm install --ignore-scripts --prefix " LATHE_EXAMPLES
    "/runners/onnxruntime_node";

bool has_onnxruntime() { return has_node() && std::filesystem::exists(kOnnxRuntimePackage); }

/// What the example prints of a run or a file; it has to succeed.
std::string run_onnx_example(const std::filesystem::path& what, const std::filesystem::path& data) {
  return succeed("node " + quoted(std::string(LATHE_EXAMPLES) + "/use_a_net/onnx.mjs") + " " +
                 quoted(what.string()) + " " + quoted(data.string()));
}

TEST_F(UseANet, OnnxOnPixelsInOnnxRuntime) {
  if (!has_onnxruntime()) GTEST_SKIP() << kNoOnnxRuntime;
  // The example itself fails unless it finds the table's accuracy.
  const std::string log = run_onnx_example(out(""), tiny_->data());
  EXPECT_NE(log.find("of 200 test images, result.json says "), std::string::npos) << log;
}

TEST_F(UseANet, OnnxOfSmallerImagesInOnnxRuntime) {
  if (!has_onnxruntime()) GTEST_SKIP() << kNoOnnxRuntime;
  // A whole multiple smaller, one that is none, and larger than the files' images.
  for (const int size : {kSyntheticSide / 2, kSyntheticSide / 2 + 3, kSyntheticSide + 5}) {
    const std::filesystem::path folder = tiny_->folder() / ("size" + std::to_string(size));
    train(folder, "--epochs 4 --image-size " + std::to_string(size));
    EXPECT_EQ(read_json(folder / "result.json").at("input_size"), size);
    run_onnx_example(folder, tiny_->data());
  }
}

TEST_F(UseANet, Int8OnnxOnPixelsInOnnxRuntime) {
  const std::string path = out("int8.onnx").string();
  const Outcome outcome =
      run_lathe("export --quantize int8 --calibration-images 100 --validation-size 100 --weights " +
                quoted(out("weights.safetensors").string()) + " --dataset " +
                quoted(tiny_->data().string()) + " --out " + quoted(path));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto size = std::filesystem::file_size(path);
  const auto float_size = std::filesystem::file_size(out("model.onnx"));
  EXPECT_EQ(outcome.out, path + "\n" + std::to_string(size) + " bytes, " +
                             std::to_string(std::lround(100.0 * static_cast<double>(size) /
                                                        static_cast<double>(float_size))) +
                             "% of the " + std::to_string(float_size) + " in float32\n");
  EXPECT_NE(read_file(path).find("\"int8\""), std::string::npos);
  if (!has_onnxruntime()) GTEST_SKIP() << kNoOnnxRuntime;
  const std::string log = run_onnx_example(path, tiny_->data());
  const double found = std::stod(log.substr(log.find(": ") + 2)) / 100;
  // A net of so few steps is sure of little: in 8 bits a tenth of the 200 images may get another
  // answer, right ones and wrong ones, which is 2 points more or less. Pixels that are not
  // normalised as in training cost 30.
  EXPECT_NEAR(found, result().at("test_top1").get<double>(), 0.07) << log;
}

TEST_F(UseANet, Int8OfARunIsThatOfItsWeights) {
  const std::string options = "export --force --quantize int8 --calibration-images 60 --data-dir " +
                              quoted(tiny_->data().string()) + " --out ";
  const std::string of_run = out("int8_run.onnx").string();
  const std::string of_weights = out("int8_weights.onnx").string();
  const Outcome run = run_lathe(options + quoted(of_run) + " --run " + quoted(out("").string()));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Outcome weights =
      run_lathe(options + quoted(of_weights) + " --validation-size 100 --dataset fashion-mnist" +
                " --weights " + quoted(out("weights.safetensors").string()));
  ASSERT_EQ(weights.exit_code, 0) << weights.err;
  EXPECT_EQ(read_file(of_run), read_file(of_weights));
}

TEST_F(UseANet, Int8NeedsOnnxAndImages) {
  const std::string weights = " --weights " + quoted(out("weights.safetensors").string()) +
                              " --out " + quoted(out("none.onnx").string());
  testing::expect_failure(run_lathe("export --quantize int8 --format torchscript" + weights), 1,
                          "--quantize: expected --format onnx, got torchscript");
  testing::expect_failure(
      run_lathe("export --quantize int8" + weights), 1,
      "--quantize: expected --dataset beside --weights, with what the net was trained on: its "
      "images calibrate the ranges of activations");
  EXPECT_EQ(run_lathe("export --calibration-images 5" + weights).exit_code, 2);
  EXPECT_FALSE(std::filesystem::exists(out("none.onnx")));
}

/// What a safetensors file holds, by the format's description and nothing of Lathe's.
struct Safetensors {
  nlohmann::json header;
  std::string bytes;

  explicit Safetensors(const std::filesystem::path& path) {
    const std::string file = read_file(path);
    std::uint64_t size = 0;
    std::memcpy(&size, file.data(), 8);
    header = nlohmann::json::parse(file.substr(8, size));
    bytes = file.substr(8 + size);
  }
  FloatTensor tensor(const std::string& name) const {
    const auto [begin, end] =
        header.at(name).at("data_offsets").get<std::pair<std::size_t, std::size_t>>();
    FloatTensor tensor{header.at(name).at("shape").get<std::vector<std::int64_t>>(),
                       std::vector<float>((end - begin) / sizeof(float))};
    std::memcpy(tensor.values.data(), &bytes[begin], end - begin);
    return tensor;
  }
  nlohmann::json metadata(const std::string& key) const {
    return nlohmann::json::parse(header.at("__metadata__").at(key).get<std::string>());
  }
};

TEST_F(UseANet, WeightsOnWhatTheirHeaderAsksFor) {
  const Safetensors file(out("weights.safetensors"));
  EXPECT_EQ(file.header.at("__metadata__").at("normalized_by"), "caller");
  EXPECT_EQ(file.metadata("classes"), result().at("classes"));
  const auto space =
      space::open_space("mbv3_28", {.input_size = file.metadata("input_size").get<int>()});
  graph::Net net{space->graph(space->from_json(file.metadata("arch"), "arch")), {}};
  for (const graph::ParameterSpec& spec : graph::parameters_of(net.graph)) {
    net.weights[spec.name] = file.tensor(spec.name);
  }
  const double mean = file.metadata("normalization").at("mean").at(0);
  const double stddev = file.metadata("normalization").at("stddev").at(0);
  std::vector<float> logits;
  std::vector<double> image(kPlane);
  for (std::int64_t i = 0; i < kImages; ++i) {
    for (std::size_t p = 0; p < kPlane; ++p) {
      image[p] = (double{pixels_[static_cast<std::size_t>(i) * kPlane + p]} - mean) / stddev;
    }
    for (const double logit : testing::execute_naively(net, image)) {
      logits.push_back(static_cast<float>(logit));
    }
  }
  EXPECT_EQ(accuracy(logits.data(), 10), result().at("test_top1"));
}

TEST_F(UseANet, ExportedFilesAreThoseOfTheRun) {
  const std::string of_run =
      " --run " + quoted(out("").string()) + " --data-dir " + quoted(tiny_->data().string());
  const std::string of_file = " --weights " + quoted(out("weights.safetensors").string());
  for (const auto& [format, name] :
       {std::pair("onnx", "model.onnx"), std::pair("safetensors", "weights.safetensors")}) {
    const std::string path = out("exported").string();
    const Outcome outcome = run_lathe("export --force --format " + std::string(format) + of_file +
                                      " --out " + quoted(path));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(read_file(path), read_file(out(name))) << format;
  }
}

TEST_F(UseANet, WeightsOfOlderVersionsAreEvaluatedButNotExported) {
  SafetensorsFile file = load_safetensors(out("weights.safetensors"));
  for (const char* key : {"normalization", "resize", "classes", "input_size"}) {
    file.metadata.erase(key);
  }
  const std::string old = out("old.safetensors").string();
  save_safetensors(old, file);
  const Outcome evaluated =
      run_lathe("evaluate --json --split test --threads 1 --validation-size 100 --weights " +
                quoted(old) + " --data-dir " + quoted(tiny_->data().string()));
  ASSERT_EQ(evaluated.exit_code, 0) << evaluated.err;
  EXPECT_EQ(nlohmann::json::parse(evaluated.out).at("top1"), result().at("test_top1"));
  testing::expect_failure(
      run_lathe("export --weights " + quoted(old) + " --out " + quoted(out("old.onnx").string())),
      1,
      old +
          ": doesn't say how its input is normalised, being of an older version; export the net "
          "out of its run, with --run and --arch");

  file.metadata["normalization"] = R"({"mean": [0.5], "stddev": [0]})";
  file.metadata["resize"] = R"({"center_crop_share": 1})";
  file.metadata["classes"] = R"(["a"])";
  file.metadata["input_size"] = "12";
  save_safetensors(old, file);
  testing::expect_failure(
      run_lathe("export --weights " + quoted(old) + " --out " + quoted(out("old.onnx").string())),
      1, old + ": \"normalization\": expected a mean and a stddev > 0 for each channel");
}

}  // namespace
}  // namespace lathe

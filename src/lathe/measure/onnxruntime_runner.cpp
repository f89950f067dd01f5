#include "lathe/measure/onnxruntime_runner.h"

#include <onnxruntime_cxx_api.h>

#include <array>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/measure/device_names.h"
#include "lathe/measure/random_net.h"
#include "lathe/measure/temporary_folder.h"

namespace lathe::measure {
namespace {

namespace fs = std::filesystem;

/// The size of a model's input. @throws Error if it isn't that of a batch of images.
std::vector<std::int64_t> input_shape(const Ort::Session& session, int batch) {
  const auto type = session.GetInputTypeInfo(0);
  const auto tensor = type.GetTensorTypeAndShapeInfo();
  std::vector<std::int64_t> shape = tensor.GetShape();
  if (tensor.GetElementType() != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT || shape.size() != 4) {
    throw Error("expected an input of float32 [N, C, H, W]");
  }
  shape[0] = shape[0] < 0 ? batch : shape[0];
  if (shape[0] != batch) {
    throw Error("its batch is " + std::to_string(shape[0]) + ", not " + std::to_string(batch));
  }
  for (const std::int64_t size : shape) {
    if (size <= 0) {
      throw Error("expected an input whose channels, height and width are known");
    }
  }
  return shape;
}

/// A session with two inputs that take turns, so that no run is a repetition of the last.
class LoadedModel {
 public:
  LoadedModel(const Ort::Env& env, const fs::path& path, const OnnxRuntimeRunnerOptions& options)
      : session_(env, path.c_str(), session_options(options)) {
    if (session_.GetInputCount() != 1 || session_.GetOutputCount() < 1) {
      throw Error("expected one input, and an output");
    }
    const Ort::AllocatorWithDefaultOptions allocator;
    input_name_ = session_.GetInputNameAllocated(0, allocator).get();
    output_name_ = session_.GetOutputNameAllocated(0, allocator).get();
    const std::vector<std::int64_t> shape = input_shape(session_, options.batch);
    const graph::Shape image{static_cast<int>(shape[1]), static_cast<int>(shape[2]),
                             static_cast<int>(shape[3])};
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    Rng rng(options.seed);
    for (std::size_t i = 0; i < values_.size(); ++i) {
      values_[i] = random_input(image, options.batch, rng).values;
      inputs_.push_back(Ort::Value::CreateTensor<float>(memory, values_[i].data(),
                                                        values_[i].size(), shape.data(), 4));
    }
  }

  void run() {
    const char* const inputs[] = {input_name_.c_str()};
    const char* const outputs[] = {output_name_.c_str()};
    const auto answer = session_.Run(Ort::RunOptions{nullptr}, inputs,
                                     &inputs_[turn_++ % inputs_.size()], 1, outputs, 1);
    [[maybe_unused]] const volatile float consumed = *answer[0].GetTensorData<float>();
  }

 private:
  static Ort::SessionOptions session_options(const OnnxRuntimeRunnerOptions& options) {
    Ort::SessionOptions result;
    result.SetIntraOpNumThreads(options.threads);
    result.SetInterOpNumThreads(1);
    result.SetExecutionMode(ORT_SEQUENTIAL);
    result.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
    return result;
  }

  Ort::Session session_;
  std::string input_name_, output_name_;
  std::array<std::vector<float>, 2> values_;
  std::vector<Ort::Value> inputs_;
  std::size_t turn_ = 0;
};

class OnnxRuntimeRunner final : public ModelRunner {
 public:
  explicit OnnxRuntimeRunner(OnnxRuntimeRunnerOptions options) : options_(std::move(options)) {}

  std::vector<Timing> time(std::span<const graph::Net> nets, const TimingOptions& options,
                           const TurnFn& progress) override {
    const TemporaryFolder folder;
    std::vector<Runnable> runnables;
    for (const graph::Net& net : nets) {
      const fs::path path = folder.path() / (std::to_string(runnables.size()) + ".onnx");
      options_.write_model(graph::fold_batch_norm(net), path);
      runnables.push_back(load(path));
    }
    return time_interleaved(runnables, options, progress);
  }

  Timing time(const fs::path& model, const TimingOptions& options) override {
    const Runnable runnable = load(model);
    return time_interleaved({&runnable, 1}, options)[0];
  }

  std::string device() const override { return cpu_model(); }
  std::string runtime() const override {
    return std::string("onnxruntime ") + OrtGetApiBase()->GetVersionString() + " cpu";
  }
  std::string precision() const override { return options_.precision; }
  int batch() const override { return options_.batch; }
  int threads() const override { return options_.threads; }

 private:
  Runnable load(const fs::path& path) const {
    try {
      return [model = std::make_shared<LoadedModel>(env_, path, options_)] { model->run(); };
    } catch (const Ort::Exception& error) {
      throw Error(path.string() + ": ONNX Runtime: " + error.what());
    } catch (const Error& error) {
      throw Error(path.string() + ": " + error.what());
    }
  }

  OnnxRuntimeRunnerOptions options_;
  Ort::Env env_{ORT_LOGGING_LEVEL_ERROR, "lathe"};
};

}  // namespace

std::unique_ptr<ModelRunner> make_onnxruntime_runner(const OnnxRuntimeRunnerOptions& options) {
  if (options.threads <= 0 || options.batch <= 0 || !options.write_model) {
    throw std::invalid_argument(
        "[measure::make_onnxruntime_runner] needs threads and batch > 0 and write_model, got " +
        std::to_string(options.threads) + " and " + std::to_string(options.batch));
  }
  return std::make_unique<OnnxRuntimeRunner>(options);
}

}  // namespace lathe::measure

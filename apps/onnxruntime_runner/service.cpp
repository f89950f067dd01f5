#include "service.h"

#include <onnxruntime_cxx_api.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/core/random.h"
#include "lathe/measure/device_names.h"
#include "lathe/measure/timing.h"

namespace lathe::app {
namespace {

namespace fs = std::filesystem;
using measure::RunnerService;

/// @throws Error if a model's input isn't a batch of images.
std::vector<std::int64_t> input_shape(const Ort::Session& session, int batch) {
  if (session.GetInputCount() != 1 || session.GetOutputCount() < 1) {
    throw Error("expected one input, and an output");
  }
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
  LoadedModel(const Ort::Env& env, const fs::path& path, const RunnerService::Terms& terms)
      : session_(env, path.c_str(), session_options(terms.threads)),
        shape_(input_shape(session_, terms.batch)) {
    const Ort::AllocatorWithDefaultOptions allocator;
    input_name_ = session_.GetInputNameAllocated(0, allocator).get();
    output_name_ = session_.GetOutputNameAllocated(0, allocator).get();
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    std::int64_t size = 1;
    for (const std::int64_t of : shape_) size *= of;
    Rng rng(1);
    for (std::vector<float>& values : values_) {
      for (std::int64_t i = 0; i < size; ++i) values.push_back(static_cast<float>(rng.normal()));
      inputs_.push_back(Ort::Value::CreateTensor<float>(memory, values.data(), values.size(),
                                                        shape_.data(), shape_.size()));
    }
  }

  void run() {
    const std::array inputs{input_name_.c_str()};
    const std::array outputs{output_name_.c_str()};
    const auto answer =
        session_.Run(Ort::RunOptions{nullptr}, inputs.data(), &inputs_[turn_++ % inputs_.size()],
                     inputs.size(), outputs.data(), outputs.size());
    [[maybe_unused]] const volatile float consumed = *answer[0].GetTensorData<float>();
  }

 private:
  static Ort::SessionOptions session_options(int threads) {
    Ort::SessionOptions result;
    result.SetIntraOpNumThreads(threads);
    result.SetInterOpNumThreads(1);
    result.SetExecutionMode(ORT_SEQUENTIAL);
    result.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
    return result;
  }

  Ort::Session session_;
  std::vector<std::int64_t> shape_;
  std::string input_name_, output_name_;
  std::array<std::vector<float>, 2> values_;
  std::vector<Ort::Value> inputs_;  // views of values_
  std::size_t turn_ = 0;
};

class OnnxRuntimeService final : public RunnerService {
 public:
  nlohmann::json hello(const Terms& terms) override {
    if (terms.threads < 1 || terms.batch < 1) {
      throw Error("threads and batch must be > 0");
    }
    terms_ = terms;
    return {{"device", measure::cpu_model()},
            {"runtime", std::string("onnxruntime ") + OrtGetApiBase()->GetVersionString() + " cpu"},
            {"precision", terms.precision}};
  }

  void load(const fs::path& model, const std::vector<std::int64_t>&) override {
    try {
      models_.insert_or_assign(model, std::make_unique<LoadedModel>(env_, model, terms_));
    } catch (const std::exception& error) {
      throw Error(model.string() + ": ONNX Runtime: " + error.what());
    }
  }

  nlohmann::json time(const fs::path& model, int warmup_runs, int runs, double max_ms) override {
    const auto found = models_.find(model);
    if (found == models_.end()) {
      throw Error(model.string() + ": is not loaded");
    }
    const measure::Runnable runnable = [&] { found->second->run(); };
    const measure::Timing timing =
        measure::time_interleaved(
            {&runnable, 1},
            {.warmup_runs = warmup_runs, .rounds = 1, .runs_per_round = runs, .round_ms = max_ms})
            .front();
    return {{"first_ms", timing.first_ms}, {"latencies_ms", timing.times_ms()}};
  }

  void unload(const fs::path& model) override { models_.erase(model); }

 private:
  Terms terms_;
  Ort::Env env_{ORT_LOGGING_LEVEL_ERROR, "lathe"};
  std::map<fs::path, std::unique_ptr<LoadedModel>> models_;
};

}  // namespace

std::unique_ptr<RunnerService> make_onnxruntime_service() {
  return std::make_unique<OnnxRuntimeService>();
}

}  // namespace lathe::app

#include "lathe/run/doctor.h"

#include <ATen/ATen.h>
#include <c10/core/DeviceType.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <torch/cuda.h>
#include <torch/version.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <limits>
#include <memory>

#include "lathe/core/error.h"
#include "lathe/core/isa.h"
#include "lathe/data/dataset.h"
#include "lathe/dist/process_group.h"
#include "lathe/measure/device_names.h"
#include "lathe/measure/machine.h"
#include "lathe/measure/runners/onnxruntime_runner.h"
#include "lathe/measure/runners/process.h"
#include "lathe/nn/threads.h"
#include "lathe/run/stages/train_stage.h"
#include "lathe/space/space_file.h"
#include "lathe/train/step/step_benchmark.h"

namespace lathe::run {
namespace {

using State = Finding::State;
using Json = nlohmann::ordered_json;

// Of one core with AVX-512 OpenBLAS reaches 230, with AVX2 half of that; reference BLAS 7.
constexpr double kSlowGflops = 20;
constexpr int kMatrix = 768;
constexpr double kLeastDiskGb = 2;
constexpr double kLeastMemoryGb = 2;
constexpr double kProbeTimeoutS = 10;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The best of some products of square matrices.
double matrix_product_gflops() {
  const nn::ThreadsScope one(1);
  const c10::InferenceMode no_gradients;
  const at::Tensor a = at::ones({kMatrix, kMatrix}), b = at::ones({kMatrix, kMatrix});
  double best_s = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    at::mm(a, b);
    best_s = std::min(best_s, seconds_since(start));
  }
  return 2.0 * kMatrix * kMatrix * kMatrix / best_s / 1e9;
}

Finding processor(const Json& machine) {
  const int cores = static_cast<int>(machine.at("affinity").size());
  const auto all = machine.at("logical_cores").get<int>();
  Finding finding{
      .what = "processor",
      .found = fmt::format("{}, {} of {} cores", machine.at("cpu").get<std::string>(), cores, all),
      .figures = {{"cores", cores}, {"logical_cores", all}}};
  if (cores < all) {
    finding.state = State::kNote;
    finding.advice = "this process may not use the others: taskset or the container says so";
  }
  return finding;
}

Finding kernels() {
  switch (best_isa()) {
    case Isa::kAvx512:
      return {.what = "kernels", .found = "AVX-512"};
    case Isa::kAvx2:
      return {.what = "kernels", .found = "AVX2"};
    default:
      return {.what = "kernels",
              .state = State::kNote,
              .found = "no AVX2: the plain ones",
              .advice = "training is slower than figures in the documents"};
  }
}

Finding torch_library() {
  return {.what = "LibTorch", .found = TORCH_VERSION, .figures = {{"version", TORCH_VERSION}}};
}

Finding gpus() {
  const auto count = static_cast<int>(torch::cuda::device_count());
  if (count == 0) {
    return {.what = "GPU", .found = "none that this LibTorch can use: everything runs on the CPU"};
  }
  std::string names;
  for (int i = 0; i < count; ++i) {
    names += (i == 0 ? "" : ", ") + measure::gpu_model(i);
  }
  return {.what = "GPU", .found = names, .figures = {{"count", count}}};
}

Finding processes() {
  if (dist::ProcessGroup::available(c10::DeviceType::CPU)) {
    return {.what = "several processes", .found = "Gloo is there"};
  }
  return {.what = "several processes",
          .state = State::kNote,
          .found = "training runs in one process",
          .advice = "for more: apt-get install libgloo-dev, and build again"};
}

/// The first line that a program prints, or nothing if it isn't there.
std::optional<std::string> first_line_of(const std::string& command) {
  const auto result = measure::run_process(command + " 2> /dev/null", {}, "", kProbeTimeoutS,
                                           std::filesystem::temp_directory_path());
  if (result.timed_out || result.exit_code != 0) {
    return {};
  }
  return result.out.substr(0, result.out.find('\n'));
}

Finding onnx_runtime() {
  if (!measure::onnxruntime_command().empty()) {
    return {.what = "ONNX Runtime", .found = "is there: nets are measured with it by default"};
  }
  return {.what = "ONNX Runtime",
          .state = State::kNote,
          .found =
              "this build is without it: nets are measured with LibTorch by default, whose "
              "milliseconds are others",
          .advice = "from Debian 13 on: apt-get install libonnxruntime-dev, and build again"};
}

Finding node_runtime() {
  if (const auto version = first_line_of("node --version")) {
    return {
        .what = "Node.js",
        .found = *version + ": the example runner of ONNX Runtime can be used",
        .advice = "once: npm install --ignore-scripts --prefix examples/runners/onnxruntime_node"};
  }
  return {.what = "Node.js",
          .found = "not there",
          .advice = "for nets in ONNX Runtime without its C++ API: apt-get install nodejs npm"};
}

Finding dataset(const data::KnownDataset& known, const std::filesystem::path& cache_dir) {
  const std::filesystem::path folder = cache_dir / known.default_dir;
  std::error_code error;
  if (std::filesystem::exists(folder, error)) {
    return {.what = known.name, .found = "is there"};
  }
  return {.what = known.name,
          .state = State::kNote,
          .found = "not there",
          .advice = known.how_to_get + " (" + folder.string() + ")"};
}

/// Kilobytes that /proc/meminfo gives under this name.
std::optional<double> meminfo_kb(const std::string& name) {
  std::ifstream file("/proc/meminfo");
  for (std::string key, rest; file >> key; std::getline(file, rest)) {
    double value = 0;
    if (key == name + ":" && file >> value) {
      return value;
    }
  }
  return {};
}

Finding disk(const std::filesystem::path& folder) {
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(folder, error);
  if (error) {
    return {.what = "disk", .state = State::kNote, .found = "not told: " + error.message()};
  }
  const double gb = static_cast<double>(space.available) / 1e9;
  Finding finding{.what = "disk",
                  .found = fmt::format("{:.1f} GB free where runs are written", gb),
                  .figures = {{"available_gb", gb}}};
  if (gb < kLeastDiskGb) {
    finding.state = State::kProblem;
    finding.advice =
        "a run takes some 20 MB, a supernet of photographs' nets more: choose another "
        "--out";
  }
  return finding;
}

/// Steps of the space that images of Fashion-MNIST's size have by default, as training does them.
Finding training_speed(const DoctorOptions& options) {
  const int threads = threads_of(options.threads);
  nn::set_num_threads(threads);
  const std::string name = default_space(28);
  train::StepBenchmark benchmark(
      std::shared_ptr<const space::Space>(space::open_space(name)),
      {.batch_size = 128, .shards = threads >= 2 ? 2 : 1, .threads = threads});
  const train::Pace pace =
      train::measure_pace([&] { benchmark.train(); }, 128,
                          {.warmup_s = options.seconds / 4, .seconds = options.seconds});
  const double epochs = pace.images_per_s * 600 / 60000;
  return {.what = "training",
          .found = fmt::format("{:.0f} images/s of {}'s largest net: ten minutes are {:.1f} epochs "
                               "of Fashion-MNIST, or more of smaller nets",
                               pace.images_per_s, name, epochs),
          .figures = {{"images_per_s", pace.images_per_s}, {"threads", threads}}};
}

}  // namespace

nlohmann::ordered_json to_json(const Finding& finding) {
  const char* const states[] = {"good", "note", "problem"};
  Json json{{"what", finding.what},
            {"state", states[static_cast<int>(finding.state)]},
            {"found", finding.found}};
  if (!finding.advice.empty()) {
    json["advice"] = finding.advice;
  }
  if (!finding.figures.is_null()) {
    json["figures"] = finding.figures;
  }
  return json;
}

Finding judge_matrix_product(double gflops) {
  Finding finding{.what = "matrix product",
                  .found = fmt::format("{:.0f} GFLOP/s on one core", gflops),
                  .figures = {{"gflops", gflops}}};
  if (gflops < kSlowGflops) {
    finding.state = State::kProblem;
    finding.advice =
        "a BLAS that is many times slower than OpenBLAS: apt-get install "
        "libopenblas0-pthread, or select it with update-alternatives --config "
        "libblas.so.3-$(uname -m)-linux-gnu";
  }
  return finding;
}

Finding judge_governor(const std::optional<std::string>& governor) {
  if (!governor) {
    return {.what = "clock",
            .state = State::kNote,
            .found = "the system doesn't tell its governor, as in a virtual machine",
            .advice = "lathe latency benchmark says how far its figures can be trusted"};
  }
  Finding finding{.what = "clock", .found = "governor " + *governor};
  if (*governor != "performance") {
    finding.state = State::kNote;
    finding.advice = "for steadier latencies: cpupower frequency-set -g performance";
  }
  return finding;
}

Finding judge_load(double load, int cores) {
  Finding finding{.what = "load",
                  .found = fmt::format("{:.1f} processes want to run, on {} cores", load, cores),
                  .figures = {{"load_average", load}}};
  if (load > 0.5) {
    finding.state = State::kNote;
    finding.advice = "latencies are for an idle machine: measure when it is one";
  }
  return finding;
}

Finding judge_memory(double total_gb, double available_gb, int cores) {
  Finding finding{.what = "memory",
                  .found = fmt::format("{:.1f} of {:.1f} GB available", available_gb, total_gb),
                  .figures = {{"total_gb", total_gb}, {"available_gb", available_gb}}};
  if (available_gb < kLeastMemoryGb) {
    finding.state = State::kProblem;
    finding.advice = "training needs about 1 GB, building more: end something";
  } else if (total_gb < 2.0 * cores) {
    finding.state = State::kNote;
    finding.advice = "to build with less memory: LATHE_JOBS=1 scripts/test.sh";
  }
  return finding;
}

std::vector<Finding> examine(const DoctorOptions& options) {
  const Json machine = measure::machine_conditions();
  const int cores = std::max(1, static_cast<int>(machine.at("affinity").size()));
  std::vector<Finding> findings{processor(machine), kernels()};
  findings.push_back(judge_governor(machine.at("governor").is_string()
                                        ? std::optional(machine.at("governor").get<std::string>())
                                        : std::nullopt));
  if (machine.at("load_average").is_number()) {
    findings.push_back(judge_load(machine.at("load_average").get<double>(), cores));
  }
  const auto total = meminfo_kb("MemTotal"), available = meminfo_kb("MemAvailable");
  if (total && available) {
    findings.push_back(judge_memory(*total / 1e6, *available / 1e6, cores));
  }
  findings.push_back(disk(options.folder));
  findings.push_back(torch_library());
  findings.push_back(judge_matrix_product(matrix_product_gflops()));
  findings.push_back(gpus());
  findings.push_back(processes());
  findings.push_back(onnx_runtime());
  findings.push_back(node_runtime());
  for (const data::KnownDataset& known : data::known_datasets()) {
    findings.push_back(dataset(known, options.cache_dir));
  }
  if (options.seconds > 0) {
    findings.push_back(training_speed(options));
  }
  return findings;
}

}  // namespace lathe::run

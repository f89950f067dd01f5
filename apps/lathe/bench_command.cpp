// lathe bench: how fast this machine trains and runs a space's nets.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "commands.h"
#include "lathe/nn/device.h"
#include "lathe/nn/threads.h"
#include "lathe/run/stages/train_stage.h"
#include "lathe/train/cells/search_benchmark.h"
#include "lathe/train/step/step_benchmark.h"
#include "options/amount.h"
#include "options/range.h"
#include "options/space_options.h"
#include "training/train_device.h"

namespace lathe::app {
namespace {

/// Of a search of cells.
struct SearchWorkOptions {
  std::string method = "pc-darts";
  std::string stem = "cifar";
  bool second_order = false;
  int init_channels = 16;
  int cells = 8;
  int input_size = 32;
};

struct BenchCommand {
  SpaceOptions space;
  SearchWorkOptions search;
  train::StepWork work;
  std::string layout = "auto";
  std::string kernels = "lathe";
  std::string device = "cpu";
  double seconds = 10;
  std::int64_t steps = 0;
  int threads = 0;
  bool json = false;
};

// As published: the part of the channels that PC-DARTS's operations see.
constexpr int kPartialChannels = 4;

// Forward once, and for training backward twice; a multiplication and an addition each.
constexpr double kFlopsPerMacForward = 2;
constexpr double kFlopsPerMacTrained = 6;

constexpr std::int64_t kMemoryReports = 20;

constexpr const char* kChannelsLast = "channels-last";
constexpr const char* kNchw = "nchw";

/// The resident size now.
std::int64_t resident_bytes() {
  std::int64_t size_pages = 0, resident_pages = 0;
  std::ifstream("/proc/self/statm") >> size_pages >> resident_pages;
  return resident_pages * sysconf(_SC_PAGESIZE);
}

/// The largest resident size that this process has had. The kernel updates it now and then only,
/// and may be behind what is resident now.
std::int64_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::max(resident_bytes(),
                  static_cast<std::int64_t>(std::int64_t{usage.ru_maxrss} * 1024));
}

/// The figures that all verbs give.
nlohmann::ordered_json figures(const BenchCommand& command, const train::Pace& pace,
                               std::int64_t macs, double gflops) {
  return {{"batch", command.work.batch_size},
          {"shards", command.work.shards},
          {"threads", command.work.threads},
          {"layout", command.layout},
          {"kernels", command.kernels},
          {"train_device", command.device},
          {"precision", nn::to_string(command.work.precision)},
          {"runs", pace.seconds.size()},
          {"images_per_s", pace.images_per_s},
          {"images_per_s_p10", pace.images_per_s_p10},
          {"images_per_s_p90", pace.images_per_s_p90},
          {"macs", macs},
          {"gflops", gflops},
          {"peak_memory_bytes", peak_memory_bytes()}};
}

void print(const BenchCommand& command, const train::Pace& pace, double gflops,
           const nlohmann::ordered_json& result) {
  if (command.json) {
    fmt::print("{}\n", result.dump(2));
    return;
  }
  fmt::print(
      "{:.0f} images/s ({:.0f} to {:.0f} in eight tenths of {} runs), {:.1f} GFLOP/s, peak "
      "memory {:.2f} GB\n",
      pace.images_per_s, pace.images_per_s_p10, pace.images_per_s_p90, pace.seconds.size(), gflops,
      static_cast<double>(peak_memory_bytes()) / 1e9);
}

void resolve(BenchCommand& command) {
  command.work.threads = run::threads_of(command.threads);
  command.work.device = nn::open_device(command.device);
  if (command.work.shards == 0) {
    command.work.shards = command.work.device.is_cpu() ? 2 : 1;
  }
  if (command.layout == "auto") {
    const auto fastest = train::fastest_layout(command.work.device, command.work.precision);
    command.layout = fastest == at::MemoryFormat::ChannelsLast ? kChannelsLast : kNchw;
  }
  command.work.channels_last = command.layout == kChannelsLast;
  command.work.kernels = command.kernels == "lathe" ? nn::Kernels::kLathe : nn::Kernels::kLibrary;
  nn::set_num_threads(command.work.threads);
}

void execute(BenchCommand command, bool trains) {
  resolve(command);
  const std::shared_ptr<const space::Space> space = command.space.make();
  train::StepBenchmark benchmark(space, command.work);
  const auto once = [&] { trains ? void(benchmark.train()) : benchmark.infer(); };
  nlohmann::ordered_json memory = nlohmann::ordered_json::array();
  const std::int64_t interval = std::max<std::int64_t>(1, command.steps / kMemoryReports);
  const train::Pace pace = train::measure_pace(
      once, command.work.batch_size,
      {.warmup_s = command.seconds / 5, .seconds = command.seconds, .runs = command.steps},
      [&](std::int64_t run) {
        if (command.steps > 0 && run % interval == 0) {
          memory.push_back({{"step", run},
                            {"resident_bytes", resident_bytes()},
                            {"peak_memory_bytes", peak_memory_bytes()}});
        }
      });
  const double gflops = (trains ? kFlopsPerMacTrained : kFlopsPerMacForward) * pace.images_per_s *
                        static_cast<double>(benchmark.macs()) / 1e9;
  nlohmann::ordered_json result{{"what", trains ? "train-step" : "infer"},
                                {"space", space->name()},
                                {"input_size", space->task().input_size},
                                {"subnets", command.work.subnets}};
  result.update(figures(command, pace, benchmark.macs(), gflops));
  if (command.steps > 0) result["memory"] = std::move(memory);
  print(command, pace, gflops, result);
}

void execute_search(BenchCommand command) {
  resolve(command);
  const SearchWorkOptions& search = command.search;
  const bool partial = search.method == "pc-darts";
  const bool cifar = search.stem == "cifar";
  train::SearchBenchmark benchmark(
      {.name = "search",
       .task = {.in_channels = 3,
                .num_classes = cifar ? 10 : 1000,
                .input_size = search.input_size},
       .stem = cifar ? space::CellStem::kCifar : space::CellStem::kImagenet,
       .init_channels = search.init_channels,
       .cells = search.cells},
      {.net = {.channel_parts = partial ? kPartialChannels : 1},
       .edge_weights = partial,
       .second_order = search.second_order,
       .batch_size = command.work.batch_size,
       .shards = command.work.shards,
       .threads = command.work.threads,
       .device = command.work.device,
       .kernels = command.work.kernels,
       .channels_last = command.work.channels_last});
  const train::Pace pace =
      train::measure_pace([&] { benchmark.step(); }, command.work.batch_size,
                          {.warmup_s = command.seconds / 5, .seconds = command.seconds});
  // Logits and weights see a batch each: twice forward and backward; by second order five times.
  const double passes = search.second_order ? 5 : 2;
  const double gflops = passes * kFlopsPerMacTrained * pace.images_per_s *
                        static_cast<double>(benchmark.macs()) / 1e9;
  nlohmann::ordered_json result{{"what", "search-step"},
                                {"method", search.method},
                                {"second_order", search.second_order},
                                {"stem", search.stem},
                                {"init_channels", search.init_channels},
                                {"cells", search.cells},
                                {"input_size", search.input_size}};
  result.update(figures(command, pace, benchmark.macs(), gflops));
  print(command, pace, gflops, result);
}

/// What every verb can be told.
void add_common_options(CLI::App& command, BenchCommand& options) {
  command.add_option("--batch", options.work.batch_size, "images at once")
      ->check(between(1, 65536))
      ->capture_default_str();
  options.work.shards = 0;
  command
      .add_option("--shards", options.work.shards,
                  "parts of the batch side by side; 0: 2 on the CPU, 1 on a GPU")
      ->check(between(0, 1024))
      ->capture_default_str();
  command.add_option("--threads", options.threads, "0: all cores")
      ->check(between(0, 1024))
      ->capture_default_str();
  command
      .add_option("--layout", options.layout, "channels-last, nchw, or auto: as training has it")
      ->check(CLI::IsMember({"auto", kChannelsLast, kNchw}))
      ->capture_default_str();
  command.add_option("--kernels", options.kernels, "lathe, or library: LibTorch's alone")
      ->check(CLI::IsMember({"lathe", "library"}))
      ->capture_default_str();
  command.add_option("--seconds", options.seconds, "to time, after a fifth of it to warm up")
      ->check(positive)
      ->capture_default_str();
  add_train_device_option(command, options.device);
  command.add_flag("--json", options.json, "print JSON");
}

void add_search_verb(CLI::App& bench) {
  auto options = std::make_shared<BenchCommand>();
  options->work.batch_size = 16;
  CLI::App* command = bench.add_subcommand(
      "search-step", "steps of a search of cells on made-up images: logits, then weights");
  SearchWorkOptions& o = options->search;
  command->add_option("--method", o.method, "darts or pc-darts")
      ->check(CLI::IsMember({"darts", "pc-darts"}))
      ->capture_default_str();
  command->add_flag("--second-order", o.second_order, "logits one step of the weights ahead");
  command->add_option("--stem", o.stem, "cifar or imagenet")
      ->check(CLI::IsMember({"cifar", "imagenet"}))
      ->capture_default_str();
  command->add_option("--init-channels", o.init_channels, "of the first nodes")
      ->check(between(2, 9999))
      ->capture_default_str();
  command->add_option("--cells", o.cells, "of the search net")
      ->check(between(1, 999))
      ->capture_default_str();
  command->add_option("--input-size", o.input_size, "height and width")
      ->check(between(1, 4096))
      ->capture_default_str();
  add_common_options(*command, *options);
  command->callback([options] { execute_search(*options); });
}

void add_verb(CLI::App& bench, const std::string& name, const std::string& text, bool trains) {
  auto options = std::make_shared<BenchCommand>();
  if (!trains) {
    options->work.subnets = 1;
  }
  CLI::App* command = bench.add_subcommand(name, text);
  add_space_options(*command, options->space);
  add_common_options(*command, *options);
  add_precision_option(*command, options->work.precision);
  if (trains) {
    command
        ->add_option("--subnets", options->work.subnets,
                     "nets of a step: the largest, the smallest, then random ones")
        ->check(between(1, 64))
        ->capture_default_str();
  }
  if (trains) {
    command
        ->add_option("--steps", options->steps,
                     "so many in place of --seconds; --json then shows the memory as they go on")
        ->check(between(std::int64_t{1}, std::int64_t{1} << 32));
  }
  command->callback([options, trains] { execute(*options, trains); });
}

}  // namespace

void add_bench_command(CLI::App& app) {
  CLI::App* bench = app.add_subcommand("bench", "speed of training and inference on this machine");
  bench->require_subcommand(1);
  add_verb(*bench, "train-step", "optimisation steps on made-up images", /*trains=*/true);
  add_verb(*bench, "infer", "the largest net's answers", /*trains=*/false);
  add_search_verb(*bench);
}

}  // namespace lathe::app

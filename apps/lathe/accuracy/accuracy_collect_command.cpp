// lathe accuracy collect: evaluated subnets of a trained run, to fit a predictor to or judge one
// by.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "lathe/core/file.h"
#include "lathe/core/pace.h"
#include "lathe/graph/counts.h"
#include "lathe/nn/threads.h"
#include "lathe/run/stages/accuracy_stage.h"
#include "lathe/run/stages/forecast.h"
#include "lathe/run/stages/train_stage.h"
#include "lathe/run/trained.h"
#include "lathe/search/even_sample.h"
#include "lathe/train/evaluator.h"
#include "options/name_options.h"
#include "options/range.h"
#include "terminal.h"
#include "training/train_device.h"

namespace lathe::app {
namespace {

// Not the nets that lathe run draws with the same seed.
constexpr std::uint64_t kCollectStream = 0x636f6c;

struct CollectCommand {
  std::filesystem::path from;
  std::filesystem::path data_dir;
  std::filesystem::path out;
  int samples = 0;
  std::string split = "validation";
  std::int64_t images = 5000;
  std::string device = "cpu";
  int threads = 0;
  std::uint64_t seed = 0;
  bool dry_run = false;
  bool json = false;
};

const data::ImageSet& split_of(const CollectCommand& command, const run::Trained& trained) {
  return command.split == "test" ? trained.dataset.test : trained.dataset.validation;
}

/// --dry-run: what evaluating `archs` would take, of which a middling one is tried.
void forecast(const CollectCommand& command, const run::Trained& trained,
              const train::Evaluator& evaluator, std::vector<space::Arch> archs, int threads) {
  const auto macs = [&](const space::Arch& arch) {
    return static_cast<double>(graph::macs(trained.graph(arch)));
  };
  std::ranges::sort(archs, std::ranges::less(), macs);
  const space::Arch& middle = archs[archs.size() / 2];
  const double middle_s =
      run::evaluation_s(*trained.weights, evaluator, trained.graph(middle),
                        std::min(command.images, split_of(command, trained).size()), threads);
  double all_macs = 0;
  for (const space::Arch& arch : archs) {
    all_macs += macs(arch);
  }
  const double seconds = middle_s * all_macs / macs(middle);
  if (command.json) {
    fmt::print("{}\n",
               nlohmann::ordered_json{{"samples", archs.size()}, {"seconds", seconds}}.dump());
  } else {
    fmt::print("{} subnets, about {} on this machine; nothing was written\n", archs.size(),
               clock_text(seconds));
  }
}

void execute(const CollectCommand& command) {
  const int threads = run::threads_of(command.threads);
  nn::set_num_threads(threads);
  const run::Trained trained = run::open_trained(command.from, command.data_dir, command.device);
  const space::Space& space = *trained.space;
  const train::Evaluator evaluator(trained.dataset,
                                   {.augment = trained.augment, .seed = trained.seed});
  Rng rng = Rng::derived(command.seed, {kCollectStream});
  const auto macs = [&](const space::Arch& arch) {
    return static_cast<double>(graph::macs(space.graph(arch)));
  };
  const std::vector<space::Arch> archs = search::sample_evenly(space, macs, command.samples, rng);
  if (command.dry_run) {
    forecast(command, trained, evaluator, archs, threads);
    return;
  }
  const FileLock lock(command.out);
  ProgressReporter reporter;
  const auto start = std::chrono::steady_clock::now();
  const auto samples = run::evaluate_subnets(
      trained, evaluator, archs,
      {.on_test = command.split == "test", .images = command.images, .threads = threads},
      command.out, [&](const Progress& progress) { reporter(progress); });
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const auto [worst, best] =
      std::ranges::minmax(samples, std::ranges::less(), &accuracy::AccuracySample::accuracy);
  if (command.json) {
    const nlohmann::ordered_json json{{"out", command.out.string()}, {"space", space.name()},
                                      {"samples", samples.size()},   {"seconds", seconds.count()},
                                      {"lowest", worst.accuracy},    {"highest", best.accuracy}};
    fmt::print("{}\n", json.dump());
  } else {
    fmt::print("{} subnets of {} evaluated, top-1 {:.2f}% to {:.2f}%: {}\n", samples.size(),
               space.name(), 100 * worst.accuracy, 100 * best.accuracy, command.out.string());
  }
}

}  // namespace

void add_accuracy_collect_command(CLI::App& app) {
  auto options = std::make_shared<CollectCommand>();
  CLI::App* command = app.add_subcommand(
      "collect", "evaluate subnets of a trained supernet, evenly over the range of MACs");
  command->add_option("--from", options->from, "folder of lathe train or lathe run")
      ->required()
      ->check(CLI::ExistingDirectory);
  command->add_option("--samples", options->samples, "how many subnets")
      ->required()
      ->check(between(2, 1000000));
  command->add_option("--out", options->out, "JSON lines; goes on with a file that is there")
      ->required();
  command
      ->add_option("--split", options->split,
                   "the images; those of test tell how well a predictor does, and are not to be "
                   "fitted to")
      ->check(one_of("split", {"validation", "test"}))
      ->capture_default_str();
  command
      ->add_option("--images", options->images,
                   "of them for each subnet, always the same ones; at most as many as there are")
      ->check(between(1, 100000000))
      ->capture_default_str();
  command->add_option("--data-dir", options->data_dir,
                      "the data's folder, if it isn't where it was");
  add_train_device_option(*command, options->device);
  command->add_option("--threads", options->threads, "0: all cores")
      ->check(between(0, 1024))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "of the subnets that are drawn")
      ->capture_default_str();
  command->add_flag("--dry-run", options->dry_run,
                    "try one subnet, say what all would take, and end");
  command->add_flag("--json", options->json, "one line of JSON on standard output");
  command->callback([options] { execute(*options); });
}

}  // namespace lathe::app

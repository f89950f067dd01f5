// lathe latency generate: a device measured block by block.
#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "lathe/core/error.h"
#include "lathe/measure/block_benchmark.h"
#include "lathe/measure/collect.h"
#include "runner_options.h"
#include "space_options.h"
#include "terminal.h"

namespace lathe::app {
namespace {

struct GenerateOptions {
  SpaceOptions space;
  bool blocks = false;
  std::filesystem::path out;
  RunnerOptions runner;
  measure::CollectOptions collect;
};

/// The runtime of the measurements in `path`, empty if there are none yet.
std::string known_runtime(const std::filesystem::path& path, const space::Space& space) {
  if (!std::filesystem::exists(path) || JsonLines(path).read().empty()) {
    return {};
  }
  return latency::read_measurements(path, space).fingerprint.runtime;
}

void generate_blocks(const space::Space& space, const GenerateOptions& options,
                     const ProgressFn& progress) {
  std::filesystem::path log_path = options.out;
  log_path += ".blocks.jsonl";
  if (std::filesystem::exists(options.out) && !std::filesystem::exists(log_path)) {
    throw Error(options.out.string() + ": exists, and " + log_path.string() +
                " with its measurements does not; name another file");
  }
  const std::string runtime = known_runtime(log_path, space);
  const graph::Net probe = measure::random_net(space.graph(space.largest()), 1);
  const auto runner = make_runner(options.runner, probe, runtime);
  const latency::Fingerprint fingerprint = measure::fingerprint(*runner, space);
  latency::BlockLog log(log_path, space, fingerprint);
  measure::collect_blocks(*runner, space, log, options.collect, progress);
  const latency::BlockTable table(space, latency::block_costs(fingerprint, log.measurements()));
  table.save(options.out);
  progress({"latency", 0, 0,
            fmt::format("{} blocks on {} ({}): {:.3f} to {:.3f} ms as sums "
                        "of blocks; table in {}",
                        table.costs().coefficients_ms.size(), fingerprint.device,
                        fingerprint.runtime, table.predict_ms(space.smallest()),
                        table.predict_ms(space.largest()), options.out.string())});
}

void execute(const GenerateOptions& options) {
  const std::unique_ptr<space::Space> space = options.space.make();
  ProgressReporter reporter;
  generate_blocks(*space, options, [&](const Progress& p) { reporter(p); });
}

void add_timing_options(CLI::App& command, measure::TimingOptions& o) {
  command.add_option("--warmup", o.warmup_runs, "uncounted first runs of each net")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  command.add_option("--rounds", o.rounds, "turns in which each net is timed")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command.add_option("--runs", o.runs_per_round, "runs of a turn, at most")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command
      .add_option("--round-ms", o.round_ms,
                  "a turn that has lasted this long ends after its second run; 0: never")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

}  // namespace

void add_latency_generate_command(CLI::App& app) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App* command = app.add_subcommand(
      "generate", "time each distinct block of a space alone; run again to go on where it stopped");
  add_space_options(*command, options->space);
  command->add_flag("--blocks", options->blocks, "each distinct block alone: a latency table")
      ->required();
  command->add_option("--out", options->out, "file of the table; its measurements lie beside it")
      ->required();
  add_runner_options(*command, options->runner);
  add_timing_options(*command, options->collect.timing);
  command
      ->add_option("--group", options->collect.group_size,
                   "nets timed in turns with one anchor, which shows the machine's drift")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->callback([options] { execute(*options); });
}

}  // namespace lathe::app

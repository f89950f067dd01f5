// lathe latency generate: a device measured block by block, or by whole nets.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>

#include "commands.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/pace.h"
#include "lathe/latency/samples/sample_plan.h"
#include "lathe/measure/collect.h"
#include "lathe/measure/random_net.h"
#include "lathe/measure/runners/temporary_folder.h"
#include "options/range.h"
#include "options/runner_options.h"
#include "options/space_options.h"
#include "terminal.h"

namespace lathe::app {
namespace {

struct GenerateOptions {
  SpaceOptions space;
  bool blocks = false;
  latency::PlanOptions plan;
  std::string shard = "0/1";
  std::filesystem::path out;
  RunnerOptions runner;
  measure::CollectOptions collect;
  bool dry_run = false;
};

/// "i/n" as a shard. @throws Error if it is none.
latency::Shard parse_shard(const std::string& text) {
  latency::Shard shard;
  int length = 0;
  const bool parsed =
      std::sscanf(text.c_str(), "%d/%d%n", &shard.index, &shard.count, &length) == 2;
  if (!parsed || text.size() != static_cast<std::size_t>(length) || shard.index < 0 ||
      shard.index >= shard.count) {
    throw Error("--shard: expected i/n with 0 <= i < n, such as 0/4, got \"" + text + "\"");
  }
  return shard;
}

/// The runtime of the measurements in `path`, empty if there are none yet.
std::string known_runtime(const std::filesystem::path& path, const space::Space& space) {
  if (!std::filesystem::exists(path) || JsonLines(path).read().empty()) {
    return {};
  }
  return latency::read_measurements(path, space).fingerprint.runtime;
}

std::unique_ptr<measure::Runner> runner_for(const space::Space& space, const RunnerOptions& options,
                                            const std::filesystem::path& log_path) {
  const std::string runtime = known_runtime(log_path, space);
  return make_runner(options, measure::random_net(space, space.largest(), 1), runtime);
}

// Enough to tell the pace by.
constexpr std::int64_t kTried = 5;

/// --dry-run: says what `count` would take, of which `collect` measures some.
template <typename Collect>
void forecast(const GenerateOptions& options, std::size_t count, const char* what,
              const Collect& collect) {
  const measure::TemporaryFolder folder;
  measure::CollectOptions few = options.collect;
  few.at_most = std::min<std::int64_t>(kTried, static_cast<std::int64_t>(count));
  const auto start = std::chrono::steady_clock::now();
  if (few.at_most > 0) {
    collect(folder.path() / "tried.jsonl", few);
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  // An anchor was timed with those few, and is timed with each group.
  const double each_s = seconds.count() / (static_cast<double>(few.at_most) + 1);
  const double group = options.collect.group_size;
  fmt::print("{} {} to measure, about {} here; nothing was written\n", count, what,
             clock_text(each_s * static_cast<double>(count) * (group + 1) / group));
}

void generate_samples(const space::Space& space, const GenerateOptions& options,
                      const ProgressFn& progress) {
  const std::vector<space::Arch> plan =
      latency::part_of(latency::sample_plan(space, options.plan), parse_shard(options.shard));
  if (options.dry_run) {
    const auto runner = runner_for(space, options.runner, options.out);
    forecast(options, plan.size(), "nets", [&](const auto& path, const auto& few) {
      latency::SampleLog log(path, space, measure::fingerprint(*runner, space));
      measure::collect_samples(*runner, space, plan, log, few, {});
    });
    return;
  }
  const FileLock lock(options.out);
  const auto runner = runner_for(space, options.runner, options.out);
  const latency::Fingerprint fingerprint = measure::fingerprint(*runner, space);
  latency::SampleLog log(options.out, space, fingerprint);
  const auto left = latency::remaining(plan, log.samples(), options.out.string());
  measure::collect_samples(*runner, space, left, log, options.collect, progress);
  progress({"latency", 0, 0,
            fmt::format("{} nets on {} ({}) in {}", log.samples().size(), fingerprint.device,
                        fingerprint.runtime, options.out.string())});
}

void generate_blocks(const space::Space& space, const GenerateOptions& options,
                     const ProgressFn& progress) {
  std::filesystem::path log_path = options.out;
  log_path += ".blocks.jsonl";
  if (std::filesystem::exists(options.out) && !std::filesystem::exists(log_path)) {
    throw Error(options.out.string() + ": exists, and " + log_path.string() +
                " with its measurements does not; name another file");
  }
  if (options.dry_run) {
    const auto runner = runner_for(space, options.runner, log_path);
    forecast(options, space.distinct_blocks().size(), "blocks",
             [&](const auto& path, const auto& few) {
               latency::BlockLog log(path, space, measure::fingerprint(*runner, space));
               measure::collect_blocks(*runner, space, log, few, {});
             });
    return;
  }
  const FileLock lock(log_path);
  const auto runner = runner_for(space, options.runner, log_path);
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
  const auto generate = options.blocks ? generate_blocks : generate_samples;
  generate(*space, options, [&](const Progress& p) { reporter(p); });
}

}  // namespace

void add_latency_generate_command(CLI::App& app) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App* command = app.add_subcommand(
      "generate",
      "time each distinct block of a space alone, or whole nets; run again to go on where it "
      "stopped");
  add_space_options(*command, options->space);
  CLI::Option_group* what = command->add_option_group("what to time");
  what->add_flag("--blocks", options->blocks, "each distinct block alone: a latency table");
  CLI::Option* samples =
      what->add_option("--samples", options->plan.samples, "so many whole nets: latency samples")
          ->check(between(1, 10000000));
  what->require_option(1);
  command
      ->add_flag("--biased", options->plan.biased,
                 "nets that have the blocks measured least; otherwise uniform ones")
      ->needs(samples);
  command->add_option("--seed", options->plan.seed, "of the nets")
      ->needs(samples)
      ->capture_default_str();
  command
      ->add_option("--shard", options->shard,
                   "i/n: only every n-th of the nets from the i-th (from 0), for n machines; "
                   "`lathe latency merge` joins their files")
      ->needs(samples)
      ->capture_default_str();
  command
      ->add_option("--out", options->out,
                   "file of the samples, or of the table (its measurements lie beside it)")
      ->required();
  add_runner_options(*command, options->runner);
  add_timing_options(*command, options->collect.timing);
  command
      ->add_option("--group", options->collect.group_size,
                   "nets timed in turns with one anchor, which shows the machine's drift")
      ->check(between(1, 1000))
      ->capture_default_str();
  command->add_flag("--dry-run", options->dry_run,
                    "measure a few, say what all would take, and end");
  command->callback([options] { execute(*options); });
}

}  // namespace lathe::app

// lathe train: weights, and nothing else.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "commands.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/pace.h"
#include "lathe/graph/counts.h"
#include "lathe/measure/runners/temporary_folder.h"
#include "lathe/nn/threads.h"
#include "lathe/run/answers/net_file.h"
#include "lathe/run/stages/cell_stage.h"
#include "lathe/run/stages/forecast.h"
#include "lathe/run/stages/train_stage.h"
#include "lathe/space/families/cell_family.h"
#include "lathe/space/families/genotype.h"
#include "lathe/train/evaluator.h"
#include "options/amount.h"
#include "options/cell_options.h"
#include "options/data_options.h"
#include "options/name_options.h"
#include "options/training_options.h"
#include "terminal.h"
#include "training/launched.h"

namespace lathe::app {
namespace {

struct TrainCommand {
  run::TrainJob job;
  CellOptions cells;
  dist::ProcessGroup::Options launched;
  std::string out;
  bool resume = false;
  bool dry_run = false;
  bool json = false;
};

/// What became of the nets that are worth a figure. A single net is handed over, and read on the
/// test images; a supernet's nets are compared on the validation images, the test images being for
/// what is chosen from it.
nlohmann::ordered_json result_of(const run::Trained& trained, const run::RunFolder& folder) {
  const train::Evaluator evaluator(trained.dataset,
                                   {.augment = trained.augment, .seed = trained.seed});
  nlohmann::ordered_json result{{"method", trained.method}, {"space", trained.space->name()}};
  const auto counts = [](const graph::Graph& graph) {
    return nlohmann::ordered_json{{"macs", graph::macs(graph)}, {"params", graph::params(graph)}};
  };
  if (!trained.arch) {
    for (const auto& [name, arch] : {std::pair{"largest", trained.space->largest()},
                                     std::pair{"smallest", trained.space->smallest()}}) {
      const graph::Graph graph = trained.space->graph(arch);
      nlohmann::ordered_json net = counts(graph);
      net["validation_top1"] = evaluator.validation_top1(*trained.weights, graph);
      result[name] = std::move(net);
    }
    return result;
  }
  const graph::Net net = evaluator.extract(*trained.weights, trained.space->graph(*trained.arch));
  const run::NetInput input =
      run::net_input(trained.dataset, trained.space->input_size(*trained.arch));
  run::save_all_formats(folder.root(), {net, *trained.space, *trained.arch, input});
  result.update(to_json(input));
  const nn::Executor executor(net.graph);
  const nn::Binding binding = nn::bind(net, trained.weights->device());
  result.update(counts(net.graph));
  result["validation_top1"] = evaluator.top1(executor, binding, trained.dataset.validation);
  result["test_top1"] = evaluator.top1(executor, binding, trained.dataset.test);
  return result;
}

std::string summary(const nlohmann::ordered_json& result) {
  const auto line = [](const std::string& name, const nlohmann::ordered_json& net) {
    std::string text =
        fmt::format("{}: {:.2f} MMACs, {} params, validation top-1 {:.2f}%", name,
                    net["macs"].get<double>() / 1e6, net["params"].get<std::int64_t>(),
                    100 * net["validation_top1"].get<double>());
    if (net.contains("test_top1")) {
      text += fmt::format(", test top-1 {:.2f}%", 100 * net["test_top1"].get<double>());
    }
    return text + "\n";
  };
  if (result.contains("test_top1")) {
    return line("net", result);
  }
  return line("largest net", result["largest"]) + line("smallest net", result["smallest"]);
}

/// As many threads as were asked for, or this process's part of the machine's cores.
int threads_here(int asked, dist::ProcessGroup& group) {
  return asked > 0 ? asked : std::max(1, run::threads_of(0) / processes_here(group));
}

/// Rank 0 opens it; the others write nothing.
run::RunFolder open_folder(const TrainCommand& command, const std::string& config,
                           dist::ProcessGroup& group) {
  std::optional<run::RunFolder> folder;
  group.from_rank_0([&]() -> nlohmann::json {
    folder = run::RunFolder::open(command.out, config, command.resume);
    return nullptr;
  });
  return folder ? *folder : run::RunFolder::of_other_process(command.out);
}

/// --dry-run: what it would take, tried in a folder that is gone afterwards.
void forecast(const TrainCommand& command, const run::TrainJob& job, const std::string& config,
              bool speaks, const ProgressFn& progress) {
  const measure::TemporaryFolder folder;
  const auto run = speaks ? run::RunFolder::open(folder.path() / "run", config, /*resume=*/false)
                          : run::RunFolder::of_other_process(folder.path() / "run");
  const run::Trained trained = run::prepare_training(job, run, progress);
  const run::TrainingForecast forecast = run::forecast_training(trained, job, run);
  if (!speaks) {
    return;
  }
  const nlohmann::ordered_json result{{"method", trained.method},
                                      {"space", trained.space->name()},
                                      {"epochs", forecast.epochs},
                                      {"steps", forecast.steps},
                                      {"first_step_s", forecast.first_step_s},
                                      {"seconds", forecast.seconds}};
  if (command.json) {
    fmt::print("{}\n", result.dump(2));
  } else {
    fmt::print(
        "{:.4g} epochs, {} steps of {} images, about {} on this machine; nothing was written\n",
        forecast.epochs, forecast.steps, job.train.batch_size, clock_text(forecast.seconds));
  }
}

void execute(const TrainCommand& command, const std::string& config) {
  run::TrainJob job = command.job;
  dist::ProcessGroup group = meet_launched(command.launched, job.device);
  const bool speaks = group.rank() == 0;
  job.train.group = &group;
  job.threads = threads_here(job.threads, group);
  ProgressReporter reporter;
  const ProgressFn progress = [&](const Progress& p) {
    if (speaks) {
      reporter(p);
    }
  };
  nn::set_num_threads(job.threads);
  if (command.dry_run) {
    forecast(command, job, config, speaks, progress);
    return;
  }
  const run::RunFolder folder = open_folder(command, config, group);
  run::Trained trained = run::prepare_training(job, folder, progress);
  run::train_stage(trained, job, folder, progress);
  if (!speaks) {
    return;
  }
  const nlohmann::ordered_json result = result_of(trained, folder);
  write_json(folder.result(), result);
  if (command.json) {
    fmt::print("{}\n", result.dump(2));
  } else {
    fmt::print("{}weights and result.json are in {}\n", summary(result), command.out);
  }
}

void search_cells(const TrainCommand& command, run::CellJob job, const std::string& config) {
  dist::ProcessGroup group = meet_launched(command.launched, job.device);
  const bool speaks = group.rank() == 0;
  job.search.group = &group;
  job.threads = threads_here(job.threads, group);
  nn::set_num_threads(job.threads);
  const run::RunFolder folder = open_folder(command, config, group);
  ProgressReporter reporter;
  const run::SearchedFolder searched = run::search_stage(job, folder, [&](const Progress& p) {
    if (speaks) {
      reporter(p);
    }
  });
  if (!speaks) {
    return;
  }
  const graph::Graph graph = searched.space->graph(searched.arch);
  const std::vector<space::Cell> cells = space::cells_of(*searched.space, searched.arch);
  nlohmann::ordered_json result{{"method", job.method},
                                {"space", searched.space->name()},
                                {"genotype", space::genotype_to_text(cells.front(), cells.back())},
                                {"macs", graph::macs(graph)},
                                {"params", graph::params(graph)},
                                {"stopped_early", searched.cells.stopped_early}};
  if (searched.cells.reference > 0) {
    const std::string unit = job.macs ? "mmacs" : "ms";
    result["expected_" + unit] = searched.cells.expected;
    result["derived_" + unit] = searched.cells.derived;
    result["reference_" + unit] = searched.cells.reference;
    result["latency_weight"] = searched.cells.weight;
  }
  write_json(folder.result(), result);
  if (command.json) {
    fmt::print("{}\n", result.dump(2));
  } else {
    fmt::print("{}\n{}, {} and result.json are in {}; lathe derive makes nets of it\n",
               result["genotype"].get<std::string>(), run::kCellsName, "genotype.json",
               command.out);
  }
}

}  // namespace

void add_train_command(CLI::App& app) {
  auto options = std::make_shared<TrainCommand>();
  CLI::App* command =
      app.add_subcommand("train", "train a supernet, or one net alone, or search cells");
  add_dataset_options(*command, options->job.dataset, options->job.data);
  // Left empty, it depends on the images.
  add_space_option(*command, options->job.space);
  add_training_options(*command, options->job);
  add_cell_options(*command, options->cells);
  add_launch_options(*command, options->launched);
  command
      ->add_option("--arch", options->job.arch_file,
                   "JSON file of the net that plain training trains; without it the largest")
      ->check(CLI::ExistingFile);
  command
      ->add_option("--from", options->job.from,
                   "folder of a run whose weights plain training goes on from")
      ->check(CLI::ExistingDirectory);
  command
      ->add_option("--budget", options->job.budget_s,
                   "time for plain training in place of --epochs, e.g. 90s, 10m or 2h")
      ->transform(CLI::Validator(to_seconds, "TIME"));
  command
      ->add_option(
          "--latency", options->job.latency_file,
          "latency model, as latency fit writes it: that aows draws nets by, or that a search of "
          "cells minds")
      ->check(CLI::ExistingFile);
  command
      ->add_option("--targets", options->job.method.targets_ms,
                   "latencies in ms, separated by commas, that aows draws nets for")
      ->delimiter(',')
      ->check(positive);
  command->add_option("--out", options->out, "folder for weights, metrics and checkpoints")
      ->required()
      ->configurable(false);
  command
      ->add_flag("--resume", options->resume, "go on with the training in --out, if there is one")
      ->configurable(false);
  command
      ->add_flag("--dry-run", options->dry_run, "try a few steps, say what all would take, and end")
      ->configurable(false);
  command->add_flag("--json", options->json, "print result.json instead of a summary")
      ->configurable(false);
  command->callback([options, command] {
    if (run::searches_cells(options->job.method.name)) {
      if (options->dry_run) {
        throw CLI::ValidationError(
            "--dry-run is for nets and supernets: lathe bench search-step has the pace of a search "
            "of cells");
      }
      const run::CellJob job =
          resolve_cells(*command, options->cells, options->job, /*measures=*/false);
      search_cells(*options, job, resolved_config(*command));
      return;
    }
    refuse_cell_options(*command, options->job.method.name);
    const bool plain = options->job.method.name == "plain";
    if (!plain && (!options->job.arch_file.empty() || !options->job.from.empty() ||
                   options->job.budget_s > 0)) {
      throw CLI::ValidationError("--arch, --from and --budget are for one net: add --method plain");
    }
    const bool aows = options->job.method.name == "aows";
    if (aows == options->job.latency_file.empty() ||
        aows == options->job.method.targets_ms.empty()) {
      throw CLI::ValidationError(
          aows
              ? "--method aows needs --latency MODEL, as lathe latency fit writes it, and --targets"
              : "--latency and --targets are for --method aows (--latency also for darts and "
                "pc-darts)");
    }
    execute(*options, resolved_config(*command));
  });
}

}  // namespace lathe::app

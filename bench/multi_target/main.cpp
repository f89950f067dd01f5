// The paper's tables, measured here.
//   lathe_multi_target_bench --config presets/multi_target_table2.toml --data DIR
//   lathe_multi_target_bench --config presets/multi_target_table1.toml --data DIR
// DIR (or LATHE_PUBLISHED_DATA) is the folder that holds ofa_note10/. Exit code 1: the paper's
// figures were not met.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "experiment.h"

namespace {

using lathe::bench::Experiment;

void add_options(CLI::App& command, Experiment& experiment) {
  command.add_option("--space", experiment.space)->required();
  command.add_option("--latency", experiment.latency, "folder of tables within the data")
      ->required();
  command.add_option("--accuracy", experiment.accuracy, "predictor within the data")->required();
  command.add_option("--targets", experiment.targets_ms)->required();
  command.add_option("--methods", experiment.methods)->required();
  command.add_option("--seeds", experiment.seeds)->check(CLI::Range(1, 1000));
  command.add_option("--population", experiment.evolution.population);
  command.add_option("--generations", experiment.evolution.generations);
  command.add_option("--followup-generations", experiment.evolution.followup_generations,
                     "0: what each strategy does by itself");
  command.add_option("--mutation-prob", experiment.evolution.mutation_prob);
  command.add_option("--parent-ratio", experiment.evolution.parent_ratio);
  command.add_option("--mutation-ratio", experiment.evolution.mutation_ratio);
  for (const std::string name : {"vanilla", "top-down", "bottom-up"}) {
    command.add_option("--paper-" + name, experiment.paper[name], "the paper's column");
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("The tables of the multiple latency targets paper");
  app.require_subcommand(1);
  app.set_config("--config");
  Experiment experiment;
  std::filesystem::path data;
  app.add_option("--data", data, "folder of the published data")
      ->envname("LATHE_PUBLISHED_DATA")
      ->required();
  CLI::App* const accuracy = app.add_subcommand("accuracy", "Table 2")->configurable();
  add_options(*accuracy, experiment);
  accuracy->add_option("--tolerance", experiment.tolerance);
  CLI::App* const time = app.add_subcommand("time", "Table 1")->configurable();
  add_options(*time, experiment);
  time->add_option("--counts", experiment.counts)->required();
  time->add_option("--few-targets", experiment.few_targets_ms)->required();
  for (const std::string name : {"top-down", "bottom-up"}) {
    time->add_option("--max-ratio-" + name, experiment.max_time_ratio[name]);
  }
  CLI11_PARSE(app, argc, argv);
  std::erase_if(experiment.paper, [](const auto& column) { return column.second.empty(); });
  std::erase_if(experiment.max_time_ratio, [](const auto& ratio) { return ratio.second == 0; });
  try {
    const lathe::search::Models models = lathe::search::load_models(
        experiment.space, {},
        {.latency = data / experiment.latency, .accuracy = data / experiment.accuracy});
    const bool agrees = accuracy->parsed() ? print_accuracy_table(experiment, models)
                                           : print_time_table(experiment, models);
    return agrees ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

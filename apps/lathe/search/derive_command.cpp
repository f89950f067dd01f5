// lathe derive: nets out of a search of cells, for any latency targets.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "commands.h"
#include "latency/fitted_space.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/graph/counts.h"
#include "lathe/latency/models/stored_model.h"
#include "lathe/measure/collect.h"
#include "lathe/measure/random_net.h"
#include "lathe/run/answers/answers.h"
#include "lathe/run/stages/cell_stage.h"
#include "lathe/run/stages/latency_stage.h"
#include "lathe/run/stages/measured_cells.h"
#include "lathe/search/cells/cell_latency.h"
#include "lathe/search/cells/derive.h"
#include "lathe/space/families/cell_family.h"
#include "lathe/space/families/genotype.h"
#include "options/amount.h"
#include "options/range.h"
#include "options/runner_options.h"
#include "options/space_options.h"
#include "terminal.h"

namespace lathe::app {
namespace {

struct DeriveCommand {
  std::string from;
  std::string latency;
  SpaceOptions space;
  std::vector<std::string> targets;
  search::DeriveOptions derive;
  std::filesystem::path measured;  // file of latency samples
  RunnerOptions runner;
  measure::CollectOptions collect = run::kCellTurns;
  std::string out;
  bool json = false;
};

/// The nets' space, and how long they take: by the model, or in MACs where there is none.
struct Device {
  std::unique_ptr<space::Space> space;
  std::unique_ptr<search::CellLatency> latency;
  std::optional<latency::Fingerprint> fingerprint;  // of the model
};

/// The best for a target; where cells are timed, of those that are within it as measured.
struct Derived {
  search::DerivedNet net;
  std::optional<double> measured_ms;  // of the fastest near the target, where none is within it
};

Device open_device(const DeriveCommand& command) {
  Device device;
  if (command.latency.empty()) {
    device.space = command.space.make();
    run::require_cells(*device.space);
    device.latency =
        std::make_unique<search::CellLatency>(search::CellLatency::of_macs(*device.space));
    return device;
  }
  device.fingerprint = latency::fingerprint_of_model(command.latency);
  device.space = space_of(*device.fingerprint, "", command.latency);
  run::require_cells(*device.space);
  device.latency = std::make_unique<search::CellLatency>(
      *device.space, *latency::load_latency_model(*device.space, command.latency));
  return device;
}

/// Times cells near each target here, and answers by what they take.
std::vector<Derived> measured(const std::vector<search::DerivedNet>& nets, const Device& device,
                              const search::CellLogits& logits, const DeriveCommand& command) {
  const auto runner =
      make_runner(command.runner, measure::random_net(*device.space, device.space->largest(), 1),
                  device.fingerprint->runtime);
  run::require_measured_so(
      *device.fingerprint, *runner, *device.space, command.latency,
      "choose that --runner and --layout, or measure here with lathe latency generate");
  const FileLock lock(command.measured);
  ProgressReporter reporter;
  const std::optional<search::NearTarget> near = run::open_near_target(command.from);
  std::vector<Derived> all;
  for (const search::DerivedNet& net : nets) {
    std::vector<run::TimedCells> cells;
    if (std::isfinite(net.target_ms)) {
      cells = run::cells_near(*device.space, logits, *device.latency, near, net.target_ms,
                              command.derive.max_skips);
    } else {
      cells.push_back({.arch = device.space->canonical(net.arch),
                       .predicted_ms = net.latency_ms,
                       .score = net.score,
                       .passed_at = {}});
    }
    run::time_cells(cells, *device.space, *runner, command.measured, command.collect,
                    [&](const Progress& p) { reporter(p); });
    const std::vector<run::TimedCells> within = run::answering(cells, net.target_ms);
    Derived& derived = all.emplace_back(Derived{net, {}});
    derived.net.feasible = !within.empty();
    if (derived.net.feasible) {
      derived.net.arch = within.front().arch;
      derived.net.score = within.front().score;
      derived.net.latency_ms = within.front().predicted_ms;
      derived.measured_ms = within.front().measured_ms;
    } else if (!cells.empty()) {
      derived.measured_ms = std::ranges::min(cells, {}, &run::TimedCells::measured_ms).measured_ms;
    }
  }
  return all;
}

nlohmann::ordered_json to_json(const Derived& derived, const Device& device, bool with_latency,
                               const std::string& file) {
  const search::DerivedNet& net = derived.net;
  nlohmann::ordered_json json{{"target_ms", nullptr}};
  if (std::isfinite(net.target_ms)) {
    json["target_ms"] = net.target_ms;
  }
  json["feasible"] = net.feasible;
  if (!net.feasible) {
    json["minimum_ms"] = net.minimum_ms;
    if (derived.measured_ms) {
      json["fastest_timed_ms"] = *derived.measured_ms;
    }
    return json;
  }
  if (derived.measured_ms) {
    json["timed_ms"] = *derived.measured_ms;
  }
  const graph::Graph graph = device.space->graph(net.arch);
  if (with_latency) {
    json["predicted_ms"] = net.latency_ms;
  }
  json["score"] = net.score;
  if (!derived.measured_ms) {
    json["proved"] = net.proved();
  }
  json["macs"] = graph::macs(graph);
  json["params"] = graph::params(graph);
  const auto cells = space::cells_of(*device.space, net.arch);
  json["genotype"] = space::genotype_to_text(cells.front(), cells.back());
  json["arch"] = device.space->to_json(net.arch);
  if (!file.empty()) {
    json["file"] = file;
  }
  return json;
}

std::string line(const nlohmann::ordered_json& net) {
  const std::string target = net["target_ms"].is_null()
                                 ? "no target"
                                 : fmt::format("{:.4g} ms", net["target_ms"].get<double>());
  if (!net["feasible"].get<bool>()) {
    const bool timed = net.contains("fastest_timed_ms");
    return fmt::format("{:>10}: no net within it; the fastest{} takes {:.4g} ms ({})\n", target,
                       timed ? " near it" : "",
                       net[timed ? "fastest_timed_ms" : "minimum_ms"].get<double>(),
                       timed ? "as timed" : "predicted");
  }
  std::string ms;
  if (net.contains("timed_ms")) {
    ms = fmt::format("{:.4g} ms (as timed to choose it), ", net["timed_ms"].get<double>());
  }
  if (net.contains("predicted_ms")) {
    ms += fmt::format("{:.4g} ms (predicted), ", net["predicted_ms"].get<double>());
  }
  return fmt::format("{:>10}: {}score {:.3f}{}, {:.2f} MMACs, {} params\n            {}\n", target,
                     ms, net["score"].get<double>(),
                     net.value("proved", true) ? "" : " (a better one may exist)",
                     net["macs"].get<double>() / 1e6, net["params"].get<std::int64_t>(),
                     net["genotype"].get<std::string>());
}

std::vector<double> targets_of(const DeriveCommand& command) {
  std::vector<double> targets_ms;
  for (const std::string& text : command.targets) {
    targets_ms.push_back(parse_target_ms(text, 1).value());
  }
  targets_ms.push_back(std::numeric_limits<double>::infinity());
  return targets_ms;
}

/// @throws Error if nets have reduction cells and the search none, or the other way round.
void require_kinds(const DeriveCommand& command, const space::Space& space,
                   const search::CellLogits& logits) {
  const int kinds = space.encoding_size() / space::kCellBits;
  if (kinds != logits.kinds) {
    throw Error(fmt::format(
        "{}: nets of {} have {}, the search in {} has found {}; take a {} of others, such as "
        "darts_c16_l{}",
        command.latency.empty() ? "--space" : command.latency, space.name(),
        kinds == 1 ? "normal cells alone" : "reduction cells too", command.from,
        logits.kinds == 1 ? "no others" : "both kinds", command.latency.empty() ? "space" : "model",
        logits.kinds == 1 ? 1 : 5));
  }
}

void execute(const DeriveCommand& command) {
  const Device device = open_device(command);
  const search::CellLogits logits = run::open_cells(command.from);
  require_kinds(command, *device.space, logits);
  const bool with_latency = !command.latency.empty();
  nlohmann::ordered_json nets = nlohmann::ordered_json::array();
  std::string text;
  const std::vector<search::DerivedNet> predicted = search::derive_within(
      *device.space, logits, *device.latency, targets_of(command), command.derive);
  std::vector<Derived> all;
  if (command.measured.empty()) {
    for (const search::DerivedNet& net : predicted) {
      all.push_back({net, {}});
    }
  } else {
    all = measured(predicted, device, logits, command);
  }
  for (const Derived& derived : all) {
    const search::DerivedNet& net = derived.net;
    std::string file;
    if (net.feasible && !command.out.empty()) {
      const std::string name =
          std::isfinite(net.target_ms) ? run::target_name(net.target_ms) : "no_target";
      file = (std::filesystem::path(command.out) / (name + ".json")).string();
      write_json(file, device.space->to_json(net.arch));
      write_file_atomic(std::filesystem::path(command.out) / (name + ".dot"),
                        run::cells_dot(*device.space, net.arch));
    }
    nets.push_back(to_json(derived, device, with_latency, file));
    text += line(nets.back());
  }
  if (command.json) {
    fmt::print("{}\n",
               nlohmann::ordered_json{{"space", device.space->name()}, {"nets", nets}}.dump(2));
  } else {
    fmt::print("nets of {}:\n{}", device.space->name(), text);
  }
}

}  // namespace

void add_derive_command(CLI::App& app) {
  auto options = std::make_shared<DeriveCommand>();
  CLI::App* command = app.add_subcommand(
      "derive", "the best cells of a search for each latency target, and without one");
  command->add_option("--from", options->from, "folder of lathe train --method darts or pc-darts")
      ->required()
      ->check(CLI::ExistingDirectory);
  CLI::Option* latency =
      command
          ->add_option("--latency", options->latency,
                       "model of nets' latency, as latency fit writes it, of any space of cells")
          ->check(CLI::ExistingFile);
  CLI::App* of_space = command->add_option_group("space", "of the nets, without a model");
  add_space_options(*of_space, options->space);
  of_space->get_option("--space")->required(false)->excludes(latency);
  command
      ->add_option("--targets", options->targets,
                   "latencies, separated by commas, e.g. 0.4ms,600us")
      ->delimiter(',')
      ->check(target)
      ->needs(latency);
  command
      ->add_option("--max-skips", options->derive.max_skips,
                   "skip connections that a normal cell may have; -1: any number")
      ->check(between(-1, 8))
      ->capture_default_str();
  CLI::Option* const measured =
      command
          ->add_option("--measured", options->measured,
                       "time cells near each target here and answer by that; a file of latency "
                       "samples that gets them, and has those that were timed before")
          ->needs(latency);
  const std::size_t others = command->get_options().size();
  add_runner_options(*command, options->runner);
  add_timing_options(*command, options->collect.timing);
  const std::vector<CLI::Option*> all = command->get_options();
  for (std::size_t i = others; i < all.size(); ++i) {
    all[i]->needs(measured);  // nothing else is timed
  }
  command->add_option("--out", options->out,
                      "folder for each net's arch (a .json for lathe train --arch) and its picture "
                      "as Graphviz text (.dot)");
  command->add_flag("--json", options->json, "print JSON");
  command->callback([options] {
    if (options->latency.empty() && options->space.name.empty()) {
      throw CLI::ValidationError(
          "name a model (--latency), or the space of the nets (--space), e.g. darts_c16_l8");
    }
    execute(*options);
  });
}

}  // namespace lathe::app

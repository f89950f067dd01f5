// lathe derive: nets out of a search of cells, for any latency targets.
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "latency/fitted_space.h"
#include "lathe/core/file.h"
#include "lathe/graph/counts.h"
#include "lathe/latency/models/stored_model.h"
#include "lathe/run/answers/answers.h"
#include "lathe/run/stages/cell_stage.h"
#include "lathe/search/cells/cell_latency.h"
#include "lathe/search/cells/derive.h"
#include "lathe/space/families/cell_family.h"
#include "lathe/space/families/genotype.h"
#include "options/amount.h"
#include "options/range.h"
#include "options/space_options.h"

namespace lathe::app {
namespace {

struct DeriveCommand {
  std::string from;
  std::string latency;
  SpaceOptions space;
  std::vector<std::string> targets;
  search::DeriveOptions derive;
  std::string out;
  bool json = false;
};

/// The nets' space, and how long they take: by the model, or in MACs where there is none.
struct Device {
  std::unique_ptr<space::Space> space;
  std::unique_ptr<search::CellLatency> latency;
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
  device.space = space_of(latency::fingerprint_of_model(command.latency), "", command.latency);
  run::require_cells(*device.space);
  device.latency = std::make_unique<search::CellLatency>(
      *device.space, *latency::load_latency_model(*device.space, command.latency));
  return device;
}

nlohmann::ordered_json to_json(const search::DerivedNet& net, const Device& device,
                               bool with_latency, const std::string& file) {
  nlohmann::ordered_json json{{"target_ms", nullptr}};
  if (std::isfinite(net.target_ms)) {
    json["target_ms"] = net.target_ms;
  }
  json["feasible"] = net.feasible;
  if (!net.feasible) {
    json["minimum_ms"] = net.minimum_ms;
    return json;
  }
  const graph::Graph graph = device.space->graph(net.arch);
  if (with_latency) {
    json["predicted_ms"] = net.latency_ms;
  }
  json["score"] = net.score;
  json["proved"] = net.proved();
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
    return fmt::format("{:>10}: no net within it; the fastest takes {:.4g} ms (predicted)\n",
                       target, net["minimum_ms"].get<double>());
  }
  const std::string ms =
      net.contains("predicted_ms")
          ? fmt::format("{:.4g} ms (predicted), ", net["predicted_ms"].get<double>())
          : "";
  return fmt::format("{:>10}: {}score {:.3f}{}, {:.2f} MMACs, {} params\n            {}\n", target,
                     ms, net["score"].get<double>(),
                     net["proved"].get<bool>() ? "" : " (a better one may exist)",
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

void execute(const DeriveCommand& command) {
  const Device device = open_device(command);
  const search::CellLogits logits = run::open_cells(command.from);
  const bool with_latency = !command.latency.empty();
  nlohmann::ordered_json nets = nlohmann::ordered_json::array();
  std::string text;
  for (const search::DerivedNet& net : search::derive_within(*device.space, logits, *device.latency,
                                                             targets_of(command), command.derive)) {
    std::string file;
    if (net.feasible && !command.out.empty()) {
      const std::string name =
          std::isfinite(net.target_ms) ? run::target_name(net.target_ms) : "no_target";
      file = (std::filesystem::path(command.out) / (name + ".json")).string();
      write_json(file, device.space->to_json(net.arch));
      write_file_atomic(std::filesystem::path(command.out) / (name + ".dot"),
                        run::cells_dot(*device.space, net.arch));
    }
    nets.push_back(to_json(net, device, with_latency, file));
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

// lathe spaces: what there is to choose from.
#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "commands.h"
#include "lathe/graph/counts.h"
#include "lathe/space/builtin_spaces.h"

namespace lathe::app {
namespace {

nlohmann::ordered_json size_of(const space::Space& space, const space::Arch& arch) {
  const graph::Graph net = space.graph(arch);
  return {{"macs", graph::macs(net)}, {"params", graph::params(net)}};
}

void execute(bool json) {
  if (!json) {
    fmt::print("{:<28} {:>9} {:>11} {:>9} {:>17} {:>17}\n", "space", "nets", "input", "classes",
               "MMACs", "M params");
  }
  for (const std::string& name : space::builtin_space_names()) {
    const std::unique_ptr<space::Space> space = space::make_space(name);
    // Both ends at the task's own size: a space with resolutions has no single one otherwise.
    const auto at_task_size = space::make_space(name, {.input_size = space->task().input_size});
    const nlohmann::ordered_json line{
        {"space", name},
        {"log10_nets", space->log10_num_nets()},
        {"input", {space->task().in_channels, space->task().input_size, space->task().input_size}},
        {"classes", space->task().num_classes},
        {"smallest", size_of(*at_task_size, at_task_size->smallest())},
        {"largest", size_of(*at_task_size, at_task_size->largest())}};
    if (json) {
      fmt::print("{}\n", line.dump());
      continue;
    }
    const auto range = [&](const char* key) {
      return fmt::format("{:.2f}..{:.2f}", line["smallest"][key].get<double>() / 1e6,
                         line["largest"][key].get<double>() / 1e6);
    };
    const std::int64_t size = space->task().input_size;
    fmt::print("{:<28} {:>9.2e} {:>11} {:>9} {:>17} {:>17}\n", name,
               std::pow(10.0, space->log10_num_nets()),
               fmt::format("{}x{}x{}", space->task().in_channels, size, size),
               space->task().num_classes, range("macs"), range("params"));
  }
}

}  // namespace

void add_spaces_command(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("spaces", "the search spaces that come with lathe");
  command->add_flag("--json", *json, "one line of JSON per space");
  command->callback([json] { execute(*json); });
}

}  // namespace lathe::app

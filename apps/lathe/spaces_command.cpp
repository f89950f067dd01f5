// lathe spaces: what there is to choose from.
#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <optional>
#include <string>

#include "commands.h"
#include "lathe/graph/counts.h"
#include "options/name_options.h"
#include "options/range.h"

namespace lathe::app {
namespace {

nlohmann::ordered_json size_of(const space::Space& space, const space::Arch& arch) {
  const graph::Graph net = space.graph(arch);
  return {{"macs", graph::macs(net)}, {"params", graph::params(net)}};
}

struct SpacesOptions {
  std::string space;
  std::optional<int> input_size;
  bool json = false;
};

/// The file that defines a space; of a built-in one under a name that it can be used by.
nlohmann::ordered_json definition(const std::string& name_or_file, std::optional<int> input_size) {
  if (space::is_space_file(name_or_file)) {
    return space::to_json(space::load_space_spec(name_or_file));
  }
  nlohmann::ordered_json file = space::to_json(space::builtin_space_spec(name_or_file, input_size));
  file["name"] = "my_" + name_or_file;
  return file;
}

void execute(const SpacesOptions& options) {
  const bool json = options.json;
  if (json && !options.space.empty()) {
    fmt::print("{}\n", definition(options.space, options.input_size).dump(2));
    return;
  }
  std::string text;  // printed once every space is known to be good
  if (!json) {
    text = fmt::format("{:<28} {:>9} {:>11} {:>9} {:>17} {:>17}\n", "space", "nets", "input",
                       "classes", "MMACs", "M params");
  }
  const std::vector<std::string> names = options.space.empty()
                                             ? space::builtin_space_names()
                                             : std::vector<std::string>{options.space};
  for (const std::string& name : names) {
    const std::unique_ptr<space::Space> space = space::open_space(name);
    // Both ends at one size: a space with resolutions has no single one otherwise.
    const auto at_task_size = space::open_space(
        name, {.input_size = options.input_size.value_or(space->task().input_size)});
    const nlohmann::ordered_json line{
        {"space", space->name()},
        {"log10_nets", space->log10_num_nets()},
        {"input",
         {space->task().in_channels, at_task_size->task().input_size,
          at_task_size->task().input_size}},
        {"classes", space->task().num_classes},
        {"smallest", size_of(*at_task_size, at_task_size->smallest())},
        {"largest", size_of(*at_task_size, at_task_size->largest())}};
    if (json) {
      text += line.dump() + "\n";
      continue;
    }
    const auto range = [&](const char* key) {
      return fmt::format("{:.2f}..{:.2f}", line["smallest"][key].get<double>() / 1e6,
                         line["largest"][key].get<double>() / 1e6);
    };
    const std::int64_t size = at_task_size->task().input_size;
    text += fmt::format("{:<28} {:>9.2e} {:>11} {:>9} {:>17} {:>17}\n", space->name(),
                        std::pow(10.0, space->log10_num_nets()),
                        fmt::format("{}x{}x{}", space->task().in_channels, size, size),
                        space->task().num_classes, range("macs"), range("params"));
  }
  fmt::print("{}", text);
}

}  // namespace

void add_spaces_command(CLI::App& app) {
  auto options = std::make_shared<SpacesOptions>();
  CLI::App* command = app.add_subcommand("spaces", "the search spaces that come with lathe");
  add_space_option(*command, options->space)->description("only this one");
  command
      ->add_option("--input-size", options->input_size,
                   "as for images of that height and width, which stems of width chains adapt to")
      ->check(between(1, 4096));
  command->add_flag("--json", options->json,
                    "one line of JSON per space; of one --space, the file that defines it");
  command->callback([options] { execute(*options); });
}

}  // namespace lathe::app

// lathe latency import: latencies that others measured, as files of Lathe's.
#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "lathe/latency/ofa_tables.h"
#include "space_options.h"

namespace lathe::app {
namespace {

struct ImportOptions {
  SpaceOptions space;
  std::string ofa_tables;
  std::string device;
  std::filesystem::path out;
};

void import_ofa_tables(const ImportOptions& options) {
  const std::unique_ptr<space::Space> space = options.space.make();
  latency::BlockCosts costs = latency::load_ofa_tables(*space, options.ofa_tables);
  if (!options.device.empty()) {
    costs.fingerprint.device = options.device;
  }
  const latency::BlockTable table(*space, std::move(costs));
  std::string sizes;
  for (const int size : space->input_sizes()) {
    if (table.covers(size)) {
      sizes += (sizes.empty() ? "" : ", ") + std::to_string(size);
    }
  }
  table.save(options.out);
  fmt::print(stderr, "{} blocks of {} at {} in {}\n", table.costs().coefficients_ms.size(),
             space->name(), sizes, options.out.string());
}

}  // namespace

void add_latency_import_command(CLI::App& app) {
  auto options = std::make_shared<ImportOptions>();
  CLI::App* command =
      app.add_subcommand("import", "turn latencies that others measured into Lathe's files");
  add_space_options(*command, options->space);
  command
      ->add_option("--ofa-tables", options->ofa_tables,
                   "published tables: a folder of *_lookup_table.yaml, or one .yaml file")
      ->required();
  command->add_option("--device", options->device,
                      "what it was measured on; the folder's name without");
  command->add_option("--out", options->out, "the latency model to write")->required();
  command->callback([options] { import_ofa_tables(*options); });
}

}  // namespace lathe::app

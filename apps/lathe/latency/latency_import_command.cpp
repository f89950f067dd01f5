// lathe latency import: latencies that others measured, as files of Lathe's.
#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "lathe/core/error.h"
#include "lathe/latency/models/ofa_tables.h"
#include "lathe/latency/samples/csv_import.h"
#include "options/range.h"
#include "options/space_options.h"

namespace lathe::app {
namespace {

constexpr const char* kImported = "imported";  // the runtime of what a table said

struct ImportOptions {
  SpaceOptions space;
  std::string ofa_tables;
  std::string csv;
  std::string column;
  std::string device;
  int batch = 1;
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

void import_csv(const ImportOptions& options) {
  const std::unique_ptr<space::Space> space = options.space.make();
  latency::LatencySamples samples{
      .fingerprint = {.device = options.device.empty() ? options.column : options.device,
                      .runtime = kImported,
                      .precision = "unknown",
                      .batch = options.batch,
                      .space = space->name(),
                      .in_channels = space->task().in_channels,
                      .num_classes = space->task().num_classes,
                      .input_size = space->task().input_size},
      .samples = latency::read_latency_csv(options.csv, *space, options.column)};
  if (std::filesystem::exists(options.out) &&
      latency::fingerprint_of_samples(options.out).runtime != kImported) {
    throw Error(options.out.string() + ": holds measurements made here; name another file");
  }
  latency::write_samples(options.out, *space, samples);
  fmt::print(stderr, "{} nets of {} in {}\n", samples.samples.size(), space->name(),
             options.out.string());
}

}  // namespace

void add_latency_import_command(CLI::App& app) {
  auto options = std::make_shared<ImportOptions>();
  CLI::App* command =
      app.add_subcommand("import", "turn latencies that others measured into Lathe's files");
  add_space_options(*command, options->space);
  CLI::Option* tables =
      command->add_option("--ofa-tables", options->ofa_tables,
                          "published tables: a folder of *_lookup_table.yaml, or one .yaml file");
  CLI::Option* csv =
      command
          ->add_option("--csv", options->csv,
                       "whole nets: columns ks, e, d, r (genes separated by spaces), or widths, or "
                       "arch (JSON), and latencies")
          ->excludes(tables);
  CLI::Option* column =
      command->add_option("--column", options->column, "with --csv: the column of milliseconds")
          ->needs(csv);
  csv->needs(column);
  command->add_option("--device", options->device,
                      "what it was measured on; the folder's or the column's name without");
  command->add_option("--batch", options->batch, "with --csv: images in a run")
      ->check(between(1, 1000000))
      ->capture_default_str();
  command
      ->add_option("--out", options->out,
                   "the file to write: a latency model, or with --csv samples to fit one to")
      ->required();
  command->callback([options] {
    if (options->csv.empty() == options->ofa_tables.empty()) {
      throw CLI::ValidationError("--csv or --ofa-tables", "one of them is needed");
    }
    options->csv.empty() ? import_ofa_tables(*options) : import_csv(*options);
  });
}

}  // namespace lathe::app

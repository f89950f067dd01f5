// lathe latency merge: what a fleet has measured, in one file.
#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "lathe/latency/samples/merge.h"

namespace lathe::app {

void add_latency_merge_command(CLI::App& app) {
  struct MergeOptions {
    std::vector<std::filesystem::path> files;
    std::filesystem::path out;
  };
  auto options = std::make_shared<MergeOptions>();
  CLI::App* command =
      app.add_subcommand("merge", "join files of `generate` that were measured alike");
  command->add_option("files", options->files, "files to join")->required();
  command->add_option("--out", options->out, "file to write; must not exist")->required();
  command->callback([options] {
    const latency::Merged merged = latency::merge_measurements(options->files, options->out);
    fmt::print(stderr, "{} measurements in {}; {} were there twice and kept once\n", merged.lines,
               options->out.string(), merged.duplicates);
  });
}

}  // namespace lathe::app

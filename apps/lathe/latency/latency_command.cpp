// lathe latency: measuring devices, and models of them. Each verb has its own file.
#include "commands.h"

namespace lathe::app {

void add_latency_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("latency", "measure a device and model its latency");
  command->require_subcommand(1);
  add_latency_benchmark_command(*command);
  add_latency_generate_command(*command);
  add_latency_import_command(*command);
  add_latency_merge_command(*command);
  add_latency_predict_command(*command);
  add_latency_fit_command(*command);
  add_latency_validate_command(*command);
  add_latency_adapt_command(*command);
  for (CLI::App* verb : command->get_subcommands({})) {
    verb->fallthrough();
  }
}

}  // namespace lathe::app

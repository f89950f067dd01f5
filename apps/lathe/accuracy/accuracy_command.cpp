// lathe accuracy: predictors of accuracy. Each verb has its own file.
#include "commands.h"

namespace lathe::app {

void add_accuracy_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("accuracy", "predictors of accuracy");
  command->require_subcommand(1);
  add_accuracy_collect_command(*command);
  add_accuracy_fit_command(*command);
  add_accuracy_predict_command(*command);
  add_accuracy_validate_command(*command);
  for (CLI::App* verb : command->get_subcommands({})) {
    verb->fallthrough();
  }
}

}  // namespace lathe::app

// The command line: parsing, exit codes and the one place where errors become text.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>

#include "commands.h"

namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

/// Errors of libraries carry back traces; people get the first line.
std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"lathe: the best network for every latency budget"};
  app.set_version_flag("--version", LATHE_VERSION);
  app.set_config("--config", "", "TOML file with any of the options below, [command] by command");
  app.allow_config_extras(false);
  app.require_subcommand(1);
  lathe::app::add_run_command(app);
  lathe::app::add_spaces_command(app);
  lathe::app::add_describe_command(app);
  for (CLI::App* command : app.get_subcommands({})) {
    command->fallthrough();  // so that --config may follow the command
  }
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "lathe: %s (see lathe --help)\n", first_line(error.what()).c_str());
    return kUsage;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lathe: %s\n", first_line(error.what()).c_str());
    return kFailed;
  }
}

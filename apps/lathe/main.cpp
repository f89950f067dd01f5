// The command line: parsing, exit codes and the one place where errors become text.
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <limits>
#include <string>
#include <vector>

#include "commands.h"
#include "lathe/core/error.h"

namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

/// Errors of libraries carry back traces; people get the first line.
std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

/// What is wrong with the command line or the file that --config names.
std::string usage_error(const CLI::App& app, const CLI::ParseError& error, const char* first) {
  std::string text = first_line(error.what());
  if (dynamic_cast<const CLI::ConfigError*>(&error) != nullptr) {
    const std::string prefix = "INI was not able to parse ";
    if (text.rfind(prefix, 0) == 0) {
      text = "no option of lathe: " + text.substr(prefix.size());
    }
    return app.get_config_ptr()->as<std::string>() + ": " + text;
  }
  const bool no_command =
      dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && app.get_subcommands().empty();
  if (no_command && first != nullptr && first[0] != '-') {
    std::vector<std::string> names;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
      names.push_back(command->get_name());
    }
    return "unknown command \"" + std::string(first) + "\": " + lathe::nearest_names(first, names);
  }
  return text;
}

/// Training allocates and frees the same hundreds of megabytes at every step. Kept in the process
/// they cost nothing; given back to the system and faulted in again, a tenth of the time.
void keep_freed_memory() {
#ifdef M_TRIM_THRESHOLD
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  mallopt(M_TOP_PAD, 64 << 20);
#endif
}

}  // namespace

int main(int argc, char** argv) {
  keep_freed_memory();
  CLI::App app{"lathe: the best network for every latency budget"};
  app.set_version_flag("--version", LATHE_VERSION);
  app.set_config("--config", "", "TOML file with any of the options below, [command] by command");
  app.allow_config_extras(false);
  app.require_subcommand(1);
  lathe::app::add_run_command(app);
  lathe::app::add_train_command(app);
  lathe::app::add_verify_command(app);
  lathe::app::add_search_command(app);
  lathe::app::add_spaces_command(app);
  lathe::app::add_specialize_command(app);
  lathe::app::add_derive_command(app);
  lathe::app::add_describe_command(app);
  lathe::app::add_latency_command(app);
  lathe::app::add_accuracy_command(app);
  lathe::app::add_evaluate_command(app);
  lathe::app::add_export_command(app);
  lathe::app::add_report_command(app);
  lathe::app::add_bench_command(app);
  lathe::app::add_doctor_command(app);
  lathe::app::add_reference_command(app);
  for (CLI::App* command : app.get_subcommands({})) {
    command->fallthrough();  // so that --config may follow the command
  }
  // Writing beyond a limit on file sizes shall be an error that names the file, not an end.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    const std::string text = usage_error(app, error, argv[1]);
    std::fprintf(stderr, "lathe: %s (see lathe --help)\n", text.c_str());
    return kUsage;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lathe: %s\n", first_line(error.what()).c_str());
    return kFailed;
  }
}

// lathe doctor: what this machine has of what Lathe works with.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "lathe/run/doctor.h"
#include "options/data_options.h"
#include "options/range.h"

namespace lathe::app {
namespace {

struct DoctorCommand {
  run::DoctorOptions options;
  bool json = false;
};

void print(const std::vector<run::Finding>& findings) {
  std::size_t width = 0;
  for (const run::Finding& finding : findings) {
    width = std::max(width, finding.what.size());
  }
  for (const run::Finding& finding : findings) {
    const char* const marks[] = {"ok", "note", "PROBLEM"};
    fmt::print("{:<7}  {:<{}}  {}\n", marks[static_cast<int>(finding.state)], finding.what, width,
               finding.found);
    if (!finding.advice.empty()) {
      fmt::print("{:<7}  {:<{}}  {}\n", "", "", width, finding.advice);
    }
  }
}

void execute(DoctorCommand& command) {
  command.options.cache_dir = default_cache_dir();
  const std::vector<run::Finding> findings = run::examine(command.options);
  if (!command.json) {
    print(findings);
    return;
  }
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const run::Finding& finding : findings) {
    list.push_back(run::to_json(finding));
  }
  fmt::print("{}\n",
             nlohmann::ordered_json{{"version", LATHE_VERSION}, {"findings", list}}.dump(2));
}

}  // namespace

void add_doctor_command(CLI::App& app) {
  auto options = std::make_shared<DoctorCommand>();
  CLI::App* command = app.add_subcommand(
      "doctor", "what this machine has of what Lathe works with, how fast it is, and what to do");
  command
      ->add_option("--seconds", options->options.seconds,
                   "that a training is tried for; 0: not at all")
      ->check(between(0.0, 600.0))
      ->capture_default_str();
  command->add_option("--threads", options->options.threads, "of that training; 0: all cores")
      ->check(between(0, 1024))
      ->capture_default_str();
  command->add_flag("--json", options->json, "print JSON");
  command->callback([options] { execute(*options); });
}

}  // namespace lathe::app

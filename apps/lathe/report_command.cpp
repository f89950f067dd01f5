// lathe report: a run, or several side by side, as one page.
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "lathe/core/file.h"
#include "lathe/report/run_report.h"

namespace lathe::app {
namespace {

struct ReportCommand {
  std::vector<std::string> folders;
  std::string out;
};

void execute(const ReportCommand& command) {
  const std::vector<std::filesystem::path> folders(command.folders.begin(), command.folders.end());
  const std::filesystem::path out =
      command.out.empty() ? folders.size() == 1 ? folders.front() / report::kReportName
                                                : std::filesystem::path("comparison.html")
                          : std::filesystem::path(command.out);
  write_file_atomic(out, report::report_html(folders));
  fmt::print("{}\n", out.string());
}

}  // namespace

void add_report_command(CLI::App& app) {
  auto options = std::make_shared<ReportCommand>();
  CLI::App* command = app.add_subcommand(
      "report", "a run as one page for the browser, or several compared: HTML, no network");
  command
      ->add_option("folders", options->folders,
                   "folders of lathe run, lathe specialize or lathe train; several are compared")
      ->required()
      ->check(CLI::ExistingDirectory)
      ->expected(1, 8);
  command->add_option("--out", options->out,
                      "the page; without it report.html in the folder, of several comparison.html "
                      "here");
  command->callback([options] { execute(*options); });
}

}  // namespace lathe::app

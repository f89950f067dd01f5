// What supernets of several runs are worth, by the comparison of the DepS paper (section 5.1): nets
// drawn from six equal buckets of MACs and of latency, the best of each by validation images, read
// on test images. scripts/compare_methods.sh trains the runs and calls it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <thread>
#include <vector>

#include "judged_run.h"
#include "lathe/core/file.h"
#include "lathe/nn/threads.h"
#include "tables.h"

namespace lathe::bench {
namespace {

struct Command {
  std::vector<std::filesystem::path> folders;
  JudgeOptions judge;
  std::filesystem::path figure;
};

void execute(const Command& command) {
  const int threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  nn::set_num_threads(1);
  nn::Workers workers(threads, 1);
  std::vector<JudgedRun> runs;
  for (const std::filesystem::path& folder : command.folders) {
    runs.push_back(judge(folder, command.judge, workers));
    const JudgedRun& run = runs.back();
    std::fprintf(stderr, "%zu of %zu, %s: smallest %.2f%%, largest %.2f%%\n", runs.size(),
                 command.folders.size(), run.name.c_str(), 100 * run.smallest.test_top1,
                 100 * run.largest.test_top1);
  }
  std::printf("%s", table(runs, Cost::kMacs).c_str());
  if (command.judge.models.empty()) {
    return;
  }
  measure_latency(runs);
  std::printf("\n%s", table(runs, Cost::kLatency).c_str());
  if (!command.figure.empty()) {
    write_file_atomic(command.figure, figure_svg(runs));
  }
}

}  // namespace
}  // namespace lathe::bench

int main(int argc, char** argv) {
  CLI::App app("What supernets of several runs are worth");
  lathe::bench::Command command;
  app.add_option("folders", command.folders, "runs, each METHOD-SEED")->required();
  app.add_option("--nets-per-bucket", command.judge.per_bucket)->check(CLI::Range(1, 1000));
  CLI::Option* const latency = app.add_option("--latency", command.judge.models,
                                              "latency models of the runs' spaces: nets are drawn "
                                              "in buckets of latency as well, whose best "
                                              "are measured here, by LibTorch with one thread");
  app.add_option("--figure", command.figure, "an SVG file of accuracy over measured latency")
      ->needs(latency);
  app.add_option("--judged", command.judge.kept,
                 "a file that gets each run's figures, from which it goes on");
  CLI11_PARSE(app, argc, argv);
  try {
    lathe::bench::execute(command);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "training_methods: %s\n", error.what());
    return 1;
  }
  return 0;
}

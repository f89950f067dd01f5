// What supernets of several runs are worth, by the comparison of the DepS paper (section 5.1): nets
// drawn from six equal buckets of MACs or of latency, the best of each by validation images, read
// on test images. scripts/compare_methods.sh trains the runs and calls it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <thread>
#include <vector>

#include "comparison.h"
#include "lathe/core/file.h"
#include "lathe/nn/threads.h"

int main(int argc, char** argv) {
  CLI::App app("What supernets of several runs are worth");
  std::vector<std::filesystem::path> folders;
  std::size_t per_bucket = 6;
  lathe::bench::LatencyModels models;
  std::filesystem::path figure;
  app.add_option("folders", folders, "runs, each METHOD-SEED")->required();
  app.add_option("--nets-per-bucket", per_bucket)->check(CLI::Range(1, 1000));
  CLI::Option* const latency = app.add_option(
      "--latency", models,
      "latency models of the runs' spaces: buckets are of latency, and the best nets "
      "are measured here, by LibTorch with one thread");
  app.add_option("--figure", figure, "an SVG file of accuracy over measured latency")
      ->needs(latency);
  CLI11_PARSE(app, argc, argv);
  const int threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  lathe::nn::set_num_threads(1);
  lathe::nn::Workers workers(threads, 1);
  try {
    std::vector<lathe::bench::JudgedRun> runs;
    for (const std::filesystem::path& folder : folders) {
      runs.push_back(lathe::bench::judge(folder, per_bucket, models, workers));
    }
    if (!models.empty()) {
      lathe::bench::measure_latency(runs);
    }
    lathe::bench::print_table(runs);
    if (!figure.empty()) {
      lathe::write_file_atomic(figure, lathe::bench::figure_svg(runs));
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "training_methods: %s\n", error.what());
    return 1;
  }
  return 0;
}

// What latency models reach, and what they need; docs/latency_models.md has what this showed.
// Everything is drawn from fixed seeds: figures depend on the measurements, not on the machine.
//   lathe_latency_models_bench gpus|few-shot|cells [splits]   published ones: LATHE_PUBLISHED_DATA
//   lathe_latency_models_bench measured-cells CELLS.jsonl     your own
//   lathe_latency_models_bench cell-proxy CELLS.jsonl NETS.jsonl
//   lathe_latency_models_bench macs-spread NETS.jsonl [FIGURE.svg]
//   lathe_latency_models_bench rank                           none
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "latency_models.h"
#include "lathe/core/error.h"

namespace {

constexpr const char* kUsage =
    "lathe_latency_models_bench gpus|few-shot|cells [splits] | measured-cells CELLS.jsonl | "
    "cell-proxy CELLS.jsonl NETS.jsonl | macs-spread NETS.jsonl [FIGURE.svg] | rank";

void print_published(const std::string& part, int splits) {
  const char* data = std::getenv("LATHE_PUBLISHED_DATA");
  if (data == nullptr) {
    throw lathe::Error("LATHE_PUBLISHED_DATA is not set: the folder that holds device_latency/");
  }
  const std::filesystem::path folder = std::filesystem::path(data) / "device_latency";
  if (part == "gpus") {
    lathe::bench::print_gpu_errors(folder, splits);
  } else if (part == "few-shot") {
    lathe::bench::print_few_shot(folder, splits);
  } else {
    lathe::bench::print_cell_errors(folder, splits);
  }
}

void print(const std::vector<std::string>& arguments) {
  const std::string part = arguments.empty() ? "" : arguments[0];
  const std::size_t count = arguments.size();
  if (part == "rank" && count == 1) {
    lathe::bench::print_ranks();
  } else if (part == "measured-cells" && count == 2) {
    lathe::bench::print_measured_cells(arguments[1]);
  } else if (part == "cell-proxy" && count == 3) {
    lathe::bench::print_cell_proxy(arguments[1], arguments[2]);
  } else if (part == "macs-spread" && (count == 2 || count == 3)) {
    lathe::bench::print_macs_spread(arguments[1], count == 3 ? arguments[2] : "");
  } else if ((part == "gpus" || part == "few-shot" || part == "cells") && count <= 2) {
    print_published(part, count == 2 ? std::stoi(arguments[1]) : 10);
  } else {
    throw lathe::Error(kUsage);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    print({argv + 1, argv + argc});
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

// Latency models on the published measurements in LATHE_PUBLISHED_DATA; docs/latency_models.md has
// what they showed. Everything is drawn from fixed seeds: the figures depend on no machine.
//   lathe_latency_models_bench gpus|few-shot|cells [splits]
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "latency_models.h"

int main(int argc, char** argv) {
  const char* data = std::getenv("LATHE_PUBLISHED_DATA");
  const std::string part = argc > 1 ? argv[1] : "";
  const int splits = argc > 2 ? std::atoi(argv[2]) : 10;
  if (data == nullptr || splits < 1 || (part != "gpus" && part != "few-shot" && part != "cells")) {
    std::fprintf(stderr,
                 "lathe_latency_models_bench gpus|few-shot|cells [splits], with "
                 "LATHE_PUBLISHED_DATA set\n");
    return 2;
  }
  try {
    const std::filesystem::path folder = std::filesystem::path(data) / "device_latency";
    if (part == "gpus") {
      lathe::bench::print_gpu_errors(folder, splits);
    } else if (part == "few-shot") {
      lathe::bench::print_few_shot(folder, splits);
    } else {
      lathe::bench::print_cell_errors(folder, splits);
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

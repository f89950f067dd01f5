// Writes the pages that report_test.mjs opens: lathe_report_pages FOLDER
#include <exception>
#include <filesystem>
#include <iostream>
#include <vector>

#include "lathe/core/file.h"
#include "lathe/report/run_report.h"
#include "report/run_folders.h"

namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

/// A run whose texts try to be markup and whose numbers can't be drawn.
void write_hostile(const fs::path& folder) {
  const lathe::testing::RunInFolder run(folder);
  const std::string evil = "<img src=x onerror=\"document.title='broken'\"></script>";
  ordered_json result = run.result();
  result["dataset"] = evil;
  result["classes"] = {evil, "dog"};
  result["device"]["device"] = evil;
  result["device"]["threads"] = "many";
  result["latency_model"] = {{"samples", 1e308}, {"mape", -1e300}};
  result["targets"][1]["measured_ms"] = 1e308;
  result["targets"][2]["trained"] = evil;
  result["targets"][3]["test_accuracy"] = nullptr;
  lathe::write_json(folder / "result.json", result);
  lathe::append_to_file(folder / "metrics.jsonl",
                        "{\"step\": 1e300, \"epoch\": 1e300, \"loss\": 1e308}\n{broken\n");
}

/// A run whose nets are used in 8 bits.
void write_int8(const fs::path& folder) {
  const lathe::testing::RunInFolder run(folder);
  ordered_json result = run.result();
  result["device"]["precision"] = "int8";
  for (ordered_json& target : result["targets"]) {
    if (!target["feasible"]) continue;
    target["int8"] = {
        {"validation_accuracy", 0.88}, {"test_accuracy", 0.87}, {"model", "model_int8.onnx"}};
  }
  lathe::write_json(folder / "result.json", result);
  lathe::write_file_atomic(folder / "nets/0.1ms/model_int8.onnx", std::string(617, 'x'));
}

void write_cells(const fs::path& folder) {
  const auto space = lathe::space::open_space("darts_c16_l8");
  lathe::Rng rng(3);
  lathe::write_json(folder / "train.json",
                    {{"space", "darts_c16_l8"},
                     {"method", "plain"},
                     {"dataset", {{"name", "cifar-10"}, {"image_size", 32}}}});
  lathe::write_json(folder / "arch.json", space->to_json(space->sample(rng)));
  lathe::write_json(folder / "result.json", {{"validation_top1", 0.5}, {"test_top1", 0.4}});
}

void write_widths(const fs::path& folder) {
  const auto space = lathe::space::open_space("mobilenet_v1_widths_x0.25", {.input_size = 28});
  lathe::Rng rng(3);
  lathe::write_json(folder / "train.json",
                    {{"space", "mobilenet_v1_widths_x0.25"},
                     {"method", "plain"},
                     {"dataset", {{"name", "fashion-mnist"}, {"image_size", 28}}}});
  lathe::write_json(folder / "arch.json", space->to_json(space->sample(rng)));
  lathe::write_json(folder / "result.json", {{"validation_top1", 0.5}, {"test_top1", 0.4}});
}

void write_pages(const fs::path& out) {
  fs::remove_all(out);
  const lathe::testing::RunInFolder run(out / "run");
  const lathe::testing::RunInFolder other(out / "other");
  write_hostile(out / "hostile");
  write_int8(out / "int8");
  write_cells(out / "cells");
  write_widths(out / "widths");
  fs::create_directories(out / "unfinished");
  fs::copy_file(out / "run/train.json", out / "unfinished/train.json");
  ordered_json result = run.result();
  result["device"]["runtime"] = "another";
  lathe::write_json(out / "other/result.json", result);
  for (const char* name : {"run", "hostile", "int8", "cells", "widths", "unfinished"}) {
    lathe::report::write_report(out / name);
  }
  lathe::write_file_atomic(out / "comparison.html",
                           lathe::report::report_html(std::vector{out / "run", out / "other"}));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw std::invalid_argument("usage: lathe_report_pages FOLDER");
    write_pages(argv[1]);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}

#include "lathe/report/run_report.h"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <vector>

#include "lathe/accuracy/stored_predictor.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/report/latency_record.h"
#include "lathe/report/net_record.h"
#include "lathe/report/run_files.h"
#include "lathe/report/run_spaces.h"
#include "lathe/report/training_record.h"

namespace lathe::report {
namespace {

using Json = nlohmann::ordered_json;

// Of each the first that is there says what kind of run it is.
constexpr const char* kResult = "result.json";
constexpr const char* kTrain = "train.json";
constexpr const char* kConfig = "config.toml";
constexpr const char* kNetFiles[] = {"model.onnx", "model_int8.onnx", "model.pt",
                                     "weights.safetensors", "arch.json"};
constexpr std::size_t kMostTargets = 1000;

/// "run", "specialize" or "train", by the section of config.toml; else by the files.
std::string kind_of(RunFiles& files) {
  if (files.has(kConfig)) {
    std::string config;
    files.noting([&] { config = read_file(files.root() / kConfig); });
    for (const char* kind : {"run", "specialize", "train"}) {
      if (config.find("[" + std::string(kind) + "]") != std::string::npos) {
        return kind;
      }
    }
  }
  return part(files.json(kResult), "targets").is_array() ? "run" : "train";
}

/// The folder whose weights the run's nets have.
RunFiles training_files(RunFiles& files) {
  const auto from = files.option("from");
  if (!files.has(kTrain)) {
    if (RunFiles search(files.root() / "search"); search.has(kTrain)) {
      return search;  // of cells, whose nets are each trained alone
    }
  }
  if (files.has(kTrain) || !from || from->empty()) {
    return RunFiles(files.root());
  }
  for (const std::filesystem::path& folder :
       {std::filesystem::path(*from), files.root().parent_path() / *from,
        files.root().parent_path() / std::filesystem::path(*from).filename()}) {
    if (RunFiles found(folder); found.has(kTrain)) {
      return found;
    }
  }
  files.note("the run that its nets were trained in is not where it was: no training curves");
  return RunFiles(files.root());
}

Json files_in(const RunFiles& files, const std::string& dir) {
  Json list = Json::array();
  for (const char* name : kNetFiles) {
    const std::string file = dir.empty() ? name : dir + "/" + name;
    if (const auto bytes = files.size_bytes(file)) {
      list.push_back({{"name", name}, {"bytes", *bytes}});
    }
  }
  return list;
}

/// A target's answer, as result.json has it, with its net's number and files.
Json target_of(const nlohmann::json& target, RunFiles& files, NetRecord& nets) {
  Json json = Json(target);
  const std::string dir = text(target, "dir").value_or("");
  const std::filesystem::path path(dir);
  const bool inside =
      !dir.empty() && path.is_relative() && std::ranges::find(path, "..") == path.end();
  if (!inside) {
    json.erase("dir");
  } else {
    json["files"] = files_in(files, dir);
  }
  if (const int net = nets.add_answer(part(target, "arch")); net >= 0) {
    json["net"] = net;
  }
  return json;
}

void add_targets(const nlohmann::json& result, RunFiles& files, NetRecord& nets, Json& record) {
  Json targets = Json::array();
  for (const nlohmann::json& target : part(result, "targets")) {
    if (number(target, "target_ms") && targets.size() < kMostTargets) {
      targets.push_back(target_of(target, files, nets));
    } else {
      files.note("result.json: a target without a latency, or beyond the thousandth, is left out");
    }
  }
  record["targets"] = std::move(targets);
}

/// The net or nets of a training alone.
void add_trained_nets(const nlohmann::json& result, RunFiles& files, NetRecord& nets,
                      Json& record) {
  record["trained"] = Json::array();
  for (const char* name : {"largest", "smallest"}) {
    if (const nlohmann::json& net = part(result, name); net.is_object()) {
      record["trained"].push_back(Json(net));
      record["trained"].back()["name"] = name;
    }
  }
  const char* const arch = files.has("arch.json") ? "arch.json" : "genotype.json";
  if (number(result, "validation_top1") || files.has(arch)) {
    Json net{{"name", "the net"}};
    for (const char* key : {"macs", "params", "validation_top1", "test_top1"}) {
      if (const auto value = number(result, key)) {
        net[key] = *value;
      }
    }
    net["files"] = files_in(files, "");
    if (const int at = nets.add_answer(files.json(arch)); at >= 0) {
      net["net"] = at;
    }
    record["trained"].push_back(std::move(net));
  }
}

void copy_members(const nlohmann::json& from, std::initializer_list<const char*> keys, Json& to) {
  for (const char* key : keys) {
    if (from.is_object() && from.contains(key)) {
      to[key] = from.at(key);
    }
  }
}

/// What the run was asked, for its first sentence.
void add_question(RunFiles& files, RunFiles& training, Json& record) {
  const nlohmann::json train = training.json(kTrain);
  if (const auto space = text(train, "space")) {
    record["space"] = *space;
  }
  copy_members(train, {"seed", "arch"}, record);
  if (const auto name = text(part(train, "dataset"), "name")) {
    // A data set of one's own is a folder: its name says enough.
    const std::filesystem::path path(*name);
    record["dataset"] = (path.has_filename() ? path : path.parent_path()).filename().string();
  }
  if (const auto images = number(part(train, "dataset"), "validation_size")) {
    record["validation_images"] = *images;
  }
  if (training.root() != files.root() && training.root().parent_path() != files.root()) {
    record["from"] = training.name();
  }
  const nlohmann::json& plan = part(files.json("plan.json"), "plan");
  if (plan.is_object()) {
    copy_members(plan, {"budget_s", "parts"}, record["plan"]);
  }
  if (const auto budget = files.option("budget")) {
    char* end = nullptr;
    const double seconds = std::strtod(budget->c_str(), &end);
    if (end != budget->c_str() && seconds > 0) {
      record["budget_s"] = seconds;
    }
  }
}

std::uint64_t seed_of(const nlohmann::json& train) {
  const auto seed = train.is_object() ? train.value("seed", nlohmann::json()) : nlohmann::json();
  return seed.is_number_unsigned() ? seed.get<std::uint64_t>() : 0;
}

std::unique_ptr<accuracy::AccuracyPredictor> predictor_of(RunFiles& files, RunFiles& training,
                                                          const RunSpaces& spaces) {
  std::unique_ptr<accuracy::AccuracyPredictor> predictor;
  for (RunFiles* from : {&files, &training}) {
    for (const char* name : {"accuracy.json", "accuracy.safetensors"}) {
      if (predictor == nullptr && spaces.trained != nullptr && from->has(name)) {
        files.noting(
            [&] { predictor = accuracy::load_predictor(*spaces.trained, from->root() / name); });
      }
    }
  }
  return predictor;
}

void note_missing(RunFiles& files, const std::string& kind, const Json& record) {
  const auto missing = [&](const char* file, const char* what) {
    if (!files.has(file)) {
      files.note(std::string(file) + " is missing: " + what);
    }
  };
  missing(kResult, kind == "train" ? "the training has not ended; --resume goes on with it"
                                   : "the run has not ended; --resume goes on with it");
  if (kind != "train") {
    missing("latency.json", "nothing is predicted of latencies");
    missing("latency_samples.jsonl", "the latency model can't be compared with measurements");
  }
  if (record.value("training", Json::object()).value("records", Json::array()).empty()) {
    files.note("metrics.jsonl has no records: no training curves");
  }
}

}  // namespace

nlohmann::ordered_json run_record(const std::filesystem::path& folder) {
  RunFiles files(folder);
  if (!files.has(kResult) && !files.has(kTrain) && !files.has("latency_samples.jsonl")) {
    throw Error(folder.string() +
                ": is no run's folder: expected result.json or train.json, as lathe run, lathe "
                "specialize and lathe train --out leave them");
  }
  const nlohmann::json result = files.json(kResult);
  if (text(result, "strategy") && !files.has(kConfig)) {
    throw Error(
        folder.string() +
        ": is an answer of lathe search, which measures nothing: tradeoff.svg and front.csv "
        "there show it");
  }
  const std::string kind = kind_of(files);
  RunFiles training = training_files(files);
  Json record{{"name", files.name()}, {"kind", kind}, {"finished", result.is_object()}};
  add_question(files, training, record);
  copy_members(result,
               {"method", "dataset", "device", "latency_model", "accuracy_predictor", "search",
                "seconds", "input_range", "input_layout", "input_colors", "input_size", "resize",
                "normalization", "classes"},
               record);
  const RunSpaces spaces = run_spaces(files, training);
  if (spaces.whole != nullptr) {
    record["space"] = spaces.whole->name();
  }
  const auto latency = spaces.whole ? latency_model_of(files, *spaces.whole) : nullptr;
  const auto predictor = predictor_of(files, training, spaces);
  NetRecord nets(files, spaces, latency.get(), predictor.get());
  nets.add_evaluated("accuracy_samples.jsonl", training, /*sampled=*/true);
  nets.add_evaluated("accuracy_samples.jsonl", files, /*sampled=*/true);
  nets.add_evaluated("candidates.jsonl", files, /*sampled=*/false);
  add_targets(result, files, nets, record);
  if (kind == "train") {
    add_trained_nets(result, files, nets, record);
  }
  record["nets"] = nets.list();
  if (spaces.whole != nullptr) {
    record["latency"] =
        latency_record(files, *spaces.whole, latency.get(), seed_of(training.json(kTrain)));
  }
  record["training"] = training_record(training);
  note_missing(files, kind, record);
  for (const std::string& note : training.notes()) {
    files.note(note);
  }
  record["notes"] = files.notes();
  return record;
}

std::string report_html(std::span<const std::filesystem::path> folders) {
  if (folders.empty()) {
    throw std::invalid_argument("[report::report_html] expected at least one folder, got none");
  }
  Json records = Json::array();
  for (const std::filesystem::path& folder : folders) {
    records.push_back(run_record(folder));
  }
  return report_page(records);
}

std::filesystem::path write_report(const std::filesystem::path& folder) {
  std::filesystem::path path = folder / kReportName;
  write_file_atomic(path, report_html({&folder, 1}));
  return path;
}

}  // namespace lathe::report

// lathe latency benchmark: how long nets take, and how sure that is.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "commands.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/statistics.h"
#include "lathe/measure/benchmark.h"
#include "lathe/measure/machine.h"
#include "lathe/measure/random_net.h"
#include "options/arch_files.h"
#include "options/range.h"
#include "options/runner_options.h"
#include "options/space_options.h"

namespace lathe::app {
namespace {

struct BenchmarkCommand {
  SpaceOptions space;
  std::vector<std::string> archs;
  std::vector<std::string> onnx;
  RunnerOptions runner;
  measure::BenchmarkOptions benchmark;
  std::vector<int> pin;
  std::filesystem::path out;
  std::filesystem::path compare;
  bool json = false;
};

/// What is timed, and by what.
struct Bench {
  std::unique_ptr<measure::Runner> runner;
  std::vector<measure::TimeSession> nets;
  std::vector<nlohmann::ordered_json> models;  // of each net, what its report calls it
};

Bench open_onnx(const BenchmarkCommand& o) {
  auto runner = make_runner(o.runner, std::filesystem::path(o.onnx.front()));
  Bench bench;
  for (const std::string& path : o.onnx) {
    bench.nets.emplace_back(
        [raw = runner.get(), path](const measure::TimingOptions& t) { return raw->time(path, t); });
    bench.models.push_back({{"onnx", path}});
  }
  bench.runner = std::move(runner);
  return bench;
}

Bench open_archs(const BenchmarkCommand& o, const std::string& known_runtime) {
  if (o.space.name.empty()) {
    throw Error("--arch: needs --space, the space that it is of");
  }
  const auto space = o.space.make();
  Bench bench;
  for (const std::string& file : o.archs) {
    const space::Arch arch = read_arch(file, *space, o.space.own_size());
    auto net = std::make_shared<graph::Net>(measure::random_net(*space, arch, 1));
    if (bench.runner == nullptr) {
      bench.runner = make_runner(o.runner, *net, known_runtime);
    }
    bench.nets.emplace_back([raw = bench.runner.get(), net](const measure::TimingOptions& t) {
      return raw->time({net.get(), 1}, t)[0];
    });
    bench.models.push_back(space->to_json(arch));
  }
  return bench;
}

nlohmann::ordered_json conditions(const measure::Runner& runner, const BenchmarkCommand& o) {
  return {{"device", runner.device()},
          {"runtime", runner.runtime()},
          {"precision", runner.precision()},
          {"batch", runner.batch()},
          {"threads", runner.threads()},
          {"sessions", o.benchmark.sessions},
          {"rounds", o.benchmark.timing.rounds},
          {"runs_per_round", o.benchmark.timing.runs_per_round},
          {"machine", measure::machine_conditions()}};
}

/// How much longer a net takes than the first: the median over the sessions, which are in turns, so
/// that what slows the machine slows both.
double ratio_to_first(const measure::Benchmark& net, const measure::Benchmark& first) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < net.sessions.size(); ++i) {
    ratios.push_back(median(net.sessions[i].times_ms()) / median(first.sessions[i].times_ms()));
  }
  return median(ratios);
}

/// What must be equal for two reports to be compared.
nlohmann::json identity(const nlohmann::json& report, const std::string& where) {
  const auto conditions = json_member<nlohmann::json>(report, "conditions", where);
  nlohmann::json result{{"model", json_member<nlohmann::json>(report, "model", where)}};
  for (const char* const key : {"device", "runtime", "precision", "batch", "threads"}) {
    result[key] = json_member<nlohmann::json>(conditions, key, where);
  }
  return result;
}

/// The reports of a file: one, or `{"nets": [...]}`.
std::vector<nlohmann::json> read_reports(const std::filesystem::path& path) {
  const nlohmann::json json = read_json(path);
  if (!json.contains("nets")) {
    return {json};
  }
  return json_member<std::vector<nlohmann::json>>(json, "nets", path.string());
}

/// Whether the new median is where the old report expects it.
nlohmann::ordered_json compared(const nlohmann::json& report, const nlohmann::json& before,
                                const std::string& where) {
  const nlohmann::json old_identity = identity(before, where);
  const nlohmann::json new_identity = identity(report, "this benchmark");
  for (const auto& [key, value] : new_identity.items()) {
    if (value != old_identity.at(key)) {
      throw Error(where + ": of another " + key + ": " + old_identity.at(key).dump() + " against " +
                  value.dump());
    }
  }
  const auto again = json_member<std::vector<double>>(before, "p50_again95", where);
  if (again.size() != 2) {
    throw Error(where + ": \"p50_again95\": expected two numbers, got " +
                std::to_string(again.size()));
  }
  const double before_ms = json_member<double>(before, "p50", where);
  const double now_ms = report.at("p50").get<double>();
  return {{"p50_before", before_ms},
          {"expected", again},
          {"change", now_ms / before_ms - 1},
          {"agrees", again[0] <= now_ms && now_ms <= again[1]}};
}

void print(const nlohmann::ordered_json& r) {
  const auto ms = [&](const char* key) { return r.at(key).get<double>(); };
  const auto& c = r.at("conditions");
  fmt::print("{:.4f} ms median (95%: {:.4f} to {:.4f}; another benchmark: {:.4f} to {:.4f})\n",
             ms("p50"), r["p50_ci95"][0].get<double>(), r["p50_ci95"][1].get<double>(),
             r["p50_again95"][0].get<double>(), r["p50_again95"][1].get<double>());
  fmt::print(
      "  p90 {:.4f}, p95 {:.4f}, p99 {:.4f}, min {:.4f}, max {:.4f}, mean {:.4f} +- {:.4f}\n",
      ms("p90"), ms("p95"), ms("p99"), ms("min"), ms("max"), ms("mean"), ms("stdev"));
  fmt::print("  {} runs, {} of them outliers (kept); first run {:.4f}{}\n", r["count"].get<int>(),
             r["outliers"].size(), ms("first"),
             r["settled"].get<bool>() ? "" : "; not every warm-up was seen to settle");
  fmt::print("  {}, {}, {}, batch {}, {} thread(s), cores {}, load {}\n",
             c["device"].get<std::string>(), c["runtime"].get<std::string>(),
             c["precision"].get<std::string>(), c["batch"].get<int>(), c["threads"].get<int>(),
             c["machine"]["affinity"].dump(), c["machine"]["load_average"].dump());
  if (r.contains("ratio_to_first")) {
    fmt::print("  {:.3f} times the first\n", r["ratio_to_first"].get<double>());
  }
  if (r.contains("compared")) {
    const auto& compared = r["compared"];
    fmt::print("  {:+.2f}% against {:.4f} ms before: {} what that one expects\n",
               100 * compared["change"].get<double>(), compared["p50_before"].get<double>(),
               compared["agrees"].get<bool>() ? "within" : "outside of");
  }
}

void print_all(const std::vector<nlohmann::ordered_json>& reports) {
  std::size_t agree = 0;
  for (const auto& report : reports) {
    print(report);
    agree += report.contains("compared") && report["compared"]["agrees"].get<bool>() ? 1 : 0;
  }
  if (reports.size() > 1 && reports.front().contains("compared")) {
    fmt::print("{} of {} nets are within what the earlier benchmark expects\n", agree,
               reports.size());
  }
}

void execute(const BenchmarkCommand& o) {
  std::vector<nlohmann::json> before;
  std::string known_runtime;
  if (!o.compare.empty()) {
    before = read_reports(o.compare);
    const std::size_t nets = std::max(o.archs.size(), o.onnx.size());
    if (before.size() != nets) {
      throw Error(o.compare.string() + ": has " + std::to_string(before.size()) +
                  " net(s), this benchmark " + std::to_string(nets));
    }
    known_runtime = identity(before[0], o.compare.string()).at("runtime").get<std::string>();
  }
  if (!o.pin.empty()) {
    measure::pin_to(o.pin);
  }
  const Bench bench = o.onnx.empty() ? open_archs(o, known_runtime) : open_onnx(o);
  const std::vector<measure::Benchmark> results = measure::benchmark(bench.nets, o.benchmark);
  std::vector<nlohmann::ordered_json> reports;
  for (std::size_t i = 0; i < results.size(); ++i) {
    nlohmann::ordered_json& report = reports.emplace_back(measure::to_json(results[i]));
    report["model"] = bench.models[i];
    if (i > 0) {
      report["ratio_to_first"] = ratio_to_first(results[i], results[0]);
    }
    report["conditions"] = conditions(*bench.runner, o);
    if (!o.compare.empty()) {
      report["compared"] = compared(report, before[i], o.compare.string());
    }
  }
  const nlohmann::ordered_json whole =
      reports.size() == 1 ? reports[0] : nlohmann::ordered_json{{"nets", reports}};
  if (!o.out.empty()) {
    write_json(o.out, whole);
  }
  if (o.json) {
    fmt::print("{}\n", whole.dump());
  } else {
    print_all(reports);
  }
}

}  // namespace

void add_latency_benchmark_command(CLI::App& app) {
  auto o = std::make_shared<BenchmarkCommand>();
  CLI::App* command =
      app.add_subcommand("benchmark", "time nets, and say how sure the figures are");
  CLI::Option_group* what = command->add_option_group("what to time");
  what->add_option("--arch", o->archs,
                   "JSON file of an arch, its weights random; several are timed in turns");
  what->add_option("--onnx", o->onnx,
                   "a model file, for the other runners than torch; several are timed in turns")
      ->check(CLI::ExistingFile);
  what->require_option(1);
  add_space_options(*command, o->space);
  command->get_option("--space")->required(false);
  add_runner_options(*command, o->runner);
  add_timing_options(*command, o->benchmark.timing);
  command
      ->add_option("--warmup-ms", o->benchmark.timing.warmup_ms,
                   "further warm-up, for at most this long, until two batches agree within 2%")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--sessions", o->benchmark.sessions,
                   "times that the net is prepared anew; their spread gives the intervals")
      ->check(between(2, 10000))
      ->capture_default_str();
  command
      ->add_option("--pause-ms", o->benchmark.pause_ms,
                   "between two sessions of a net, the core kept busy")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--pin", o->pin, "cores to run on, separated by commas")->delimiter(',');
  command->add_option("--out", o->out, "file for the JSON as well");
  command->add_option("--compare", o->compare,
                      "JSON of an earlier benchmark of the same nets: does this one agree?");
  command->add_flag("--json", o->json, "the whole report as one line of JSON");
  command->callback([o] { execute(*o); });
}

}  // namespace lathe::app

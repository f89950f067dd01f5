#include "lathe/measure/command_runner.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <system_error>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/measure/process.h"
#include "lathe/measure/temporary_folder.h"

namespace lathe::measure {
namespace {

namespace fs = std::filesystem;

// Of the time that more runs take, the stated one must be at least this share: a program that
// gives seconds for milliseconds is at a thousandth.
constexpr double kLeastShare = 0.02;
constexpr double kClearlyLongerMs = 500;
constexpr double kEnoughStatedMs = 100;
constexpr int kMostProbeRuns = 4096;
// Clocks of two processes, read at other moments.
constexpr double kClockSlack = 1.02;
constexpr double kClockSlackMs = 2;

double sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

/// The last line that is not empty.
std::string last_line(const std::string& text) {
  const std::size_t end = text.find_last_not_of(" \n\r\t");
  if (end == std::string::npos) return {};
  const std::size_t newline = text.rfind('\n', end);
  const std::size_t begin = newline == std::string::npos ? 0 : newline + 1;
  return text.substr(begin, end + 1 - begin);
}

std::string shortened(const std::string& text) { return text.substr(0, 200); }

nlohmann::json parse_answer(const std::string& out) {
  try {
    nlohmann::json answer = parse_json(last_line(out), "answer");
    if (answer.is_object()) return answer;
  } catch (const Error&) {  // said better below
  }
  throw Error("expected a last line of JSON with latencies_ms, got \"" + shortened(last_line(out)) +
              "\"");
}

std::string ms_text(double ms) {
  std::string text = std::to_string(ms);
  return text.substr(0, text.find('.') + 3) + " ms";
}

void require(bool holds, const std::string& what) {
  if (!holds) throw std::invalid_argument("[measure::CommandRunner] " + what);
}

void check(const CommandRunnerOptions& o) {
  require(!o.command.empty(), "command must not be empty");
  require(o.threads > 0 && o.batch > 0, "threads and batch must be > 0, got " +
                                            std::to_string(o.threads) + " and " +
                                            std::to_string(o.batch));
  require(o.timeout_s > 0, "timeout_s must be > 0, got " + std::to_string(o.timeout_s));
  require(o.retries >= 0, "retries must be >= 0, got " + std::to_string(o.retries));
}

}  // namespace

CommandRunner::CommandRunner(const graph::Net& probe_net, CommandRunnerOptions options)
    : options_(std::move(options)) {
  check(options_);
  require(options_.write_model != nullptr, "write_model is missing");
  const TemporaryFolder folder;
  probe(write(probe_net, folder.path() / "probe.onnx"), folder.path());
}

CommandRunner::CommandRunner(const fs::path& probe_model, CommandRunnerOptions options)
    : options_(std::move(options)) {
  check(options_);
  const TemporaryFolder folder;
  probe({fs::absolute(probe_model), {}}, folder.path());
}

void CommandRunner::probe(const Model& model, const fs::path& folder) {
  const Turn first = call(model, 1, 2, 0, folder);
  device_ = first.device;
  runtime_ = first.runtime;
  precision_ = first.precision;
  for (int runs = 16; runs <= kMostProbeRuns; runs *= 8) {
    const Turn turn = call(model, 1, runs, 0, folder);
    check_same_device(turn);
    const double stated_ms = sum(turn.times_ms);
    if (stated_ms >= kEnoughStatedMs) return;
    const double longer_ms = turn.wall_ms - first.wall_ms;
    if (longer_ms > kClearlyLongerMs && stated_ms < kLeastShare * longer_ms) {
      throw Error("runner `" + options_.command + "`: states " + ms_text(stated_ms) + " for " +
                  std::to_string(runs) + " runs, which took " + ms_text(longer_ms) +
                  "; latencies_ms must be milliseconds, not seconds");
    }
    if (longer_ms > kClearlyLongerMs) return;
  }
}

std::vector<Timing> CommandRunner::time(std::span<const graph::Net> nets,
                                        const TimingOptions& options, const TurnFn& progress) {
  require(options_.write_model != nullptr, "write_model is missing");
  const TemporaryFolder folder;
  std::vector<Model> models;
  for (std::size_t i = 0; i < nets.size(); ++i) {
    models.push_back(write(nets[i], folder.path() / (std::to_string(i) + ".onnx")));
  }
  return time_models(models, options, progress, folder.path());
}

Timing CommandRunner::time(const fs::path& model, const TimingOptions& options) {
  const TemporaryFolder folder;
  const Model as_it_is{fs::absolute(model), {}};
  return time_models({&as_it_is, 1}, options, {}, folder.path()).front();
}

std::vector<Timing> CommandRunner::time_models(std::span<const Model> models,
                                               const TimingOptions& options, const TurnFn& progress,
                                               const fs::path& folder) {
  time_interleaved({}, options);  // checks them
  std::vector<Timing> timings(models.size());
  const int total = options.rounds * static_cast<int>(models.size());
  int done = 0;
  for (int round = 0; round < options.rounds; ++round) {
    for (std::size_t i = 0; i < models.size(); ++i) {
      // Every call loads the model anew: each needs the whole warm-up.
      const int warmup_runs = std::max(1, options.warmup_runs);
      Turn turn = call(models[i], warmup_runs, options.runs_per_round, options.round_ms, folder);
      check_same_device(turn);
      if (round == 0) {
        timings[i].first_ms = turn.first_ms.value_or(0.0);
        timings[i].warmup_runs = warmup_runs;
      }
      timings[i].rounds_ms.push_back(std::move(turn.times_ms));
      if (progress) progress(++done, total);
    }
  }
  return timings;
}

CommandRunner::Model CommandRunner::write(const graph::Net& net, const fs::path& path) const {
  const graph::Net folded = graph::fold_batch_norm(net);
  options_.write_model(folded, path);
  return {path, folded.graph.input_shape()};
}

CommandRunner::Turn CommandRunner::call(const Model& model, int warmup_runs, int runs,
                                        double max_ms, const fs::path& folder) const {
  nlohmann::ordered_json request{{"version", 1},
                                 {"model", model.path.string()},
                                 {"input_shape", nullptr},
                                 {"batch", options_.batch},
                                 {"threads", options_.threads},
                                 {"warmup_runs", warmup_runs},
                                 {"runs", runs},
                                 {"max_ms", max_ms}};
  if (model.input) {
    request["input_shape"] = {options_.batch, model.input->channels, model.input->height,
                              model.input->width};
  }
  for (int attempt = 0;; ++attempt) {
    try {
      return try_call(model, request.dump() + "\n", folder);
    } catch (const Error& error) {
      if (attempt == options_.retries) {
        throw Error("runner `" + options_.command + "`: " + error.what() + " (" +
                    std::to_string(attempt + 1) + " attempts)");
      }
    }
  }
}

CommandRunner::Turn CommandRunner::try_call(const Model& model, const std::string& request,
                                            const fs::path& folder) const {
  const ProcessResult result =
      run_process(options_.command, {model.path.string()}, request, options_.timeout_s, folder);
  const std::string last_words = shortened(last_line(result.err));
  const std::string complaint = last_words.empty() ? "" : "; its last words: " + last_words;
  if (result.timed_out) {
    throw Error("no answer within " + std::to_string(static_cast<int>(options_.timeout_s)) + " s" +
                complaint);
  }
  if (result.exit_code != 0) {
    throw Error("exit status " + std::to_string(result.exit_code) + complaint);
  }
  const nlohmann::json answer = parse_answer(result.out);
  Turn turn{.device = json_member<std::string>(answer, "device", "answer"),
            .runtime = json_member<std::string>(answer, "runtime", "answer"),
            .precision = "float32",
            .times_ms = json_member<std::vector<double>>(answer, "latencies_ms", "answer"),
            .wall_ms = result.wall_ms};
  if (answer.contains("precision")) {
    turn.precision = json_member<std::string>(answer, "precision", "answer");
  }
  if (answer.contains("first_ms")) {
    turn.first_ms = json_member<double>(answer, "first_ms", "answer");
  }
  if (turn.times_ms.empty() || *std::min_element(turn.times_ms.begin(), turn.times_ms.end()) <= 0) {
    throw Error("answer: latencies_ms must be times > 0, at least one");
  }
  if (sum(turn.times_ms) > kClockSlack * result.wall_ms + kClockSlackMs) {
    throw Error("states " + ms_text(sum(turn.times_ms)) + " in a call that took " +
                ms_text(result.wall_ms) + "; latencies_ms must be milliseconds");
  }
  return turn;
}

void CommandRunner::check_same_device(const Turn& turn) const {
  if (turn.device != device_ || turn.runtime != runtime_ || turn.precision != precision_) {
    throw Error("runner `" + options_.command + "`: was " + device_ + ", " + runtime_ + ", " +
                precision_ + ", and is now " + turn.device + ", " + turn.runtime + ", " +
                turn.precision);
  }
}

}  // namespace lathe::measure

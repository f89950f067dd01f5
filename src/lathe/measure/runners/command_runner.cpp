#include "lathe/measure/runners/command_runner.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "lathe/core/error.h"

namespace lathe::measure {
namespace {

namespace fs = std::filesystem;

// Of the time that more runs take, the stated one must be at least this share: a program that
// gives seconds for milliseconds is at a thousandth.
constexpr double kLeastShare = 0.02;
constexpr double kClearlyLongerMs = 500;
constexpr double kEnoughStatedMs = 100;
constexpr int kMostProbeRuns = 4096;

double sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

void require(bool holds, const std::string& what) {
  if (!holds) throw std::invalid_argument("[measure::CommandRunner] " + what);
}

void check(const CommandRunnerOptions& o) {
  require(!o.command.empty(), "command must not be empty");
  require(o.protocol == 1 || o.protocol == 2,
          "protocol must be 1 or 2, got " + std::to_string(o.protocol));
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
  begin();
  probe(write(probe_net, folder_.path() / "probe.onnx"));
}

CommandRunner::CommandRunner(const fs::path& probe_model, CommandRunnerOptions options)
    : options_(std::move(options)) {
  check(options_);
  begin();
  probe({fs::absolute(probe_model), {}});
}

void CommandRunner::begin() {
  const ProtocolOptions how{.command = options_.command,
                            .threads = options_.threads,
                            .batch = options_.batch,
                            .precision = options_.precision,
                            .timeout_s = options_.timeout_s};
  protocol_ = options_.protocol == 2 ? make_worker_protocol(how, folder_.path())
                                     : make_call_protocol(how, folder_.path());
}

void CommandRunner::probe(const ModelFile& model) {
  const StatedTurn first = turn(model, 1, 2, 0);
  device_ = first.device;
  runtime_ = first.runtime;
  precision_ = first.precision;
  for (int runs = 16; runs <= kMostProbeRuns; runs *= 8) {
    const StatedTurn more = turn(model, 1, runs, 0);
    check_same_device(more);
    const double stated_ms = sum(more.times_ms);
    if (stated_ms >= kEnoughStatedMs) break;
    const double longer_ms = more.wall_ms - first.wall_ms;
    if (longer_ms > kClearlyLongerMs && stated_ms < kLeastShare * longer_ms) {
      throw Error("runner `" + options_.command + "`: states " + ms_text(stated_ms) + " for " +
                  std::to_string(runs) + " runs, which took " + ms_text(longer_ms) +
                  "; latencies_ms must be milliseconds, not seconds");
    }
    if (longer_ms > kClearlyLongerMs) break;
  }
  protocol_->release();
}

std::vector<Timing> CommandRunner::time(std::span<const graph::Net> nets,
                                        const TimingOptions& options, const TurnFn& progress) {
  require(options_.write_model != nullptr, "write_model is missing");
  const TemporaryFolder folder;
  std::vector<ModelFile> models;
  for (std::size_t i = 0; i < nets.size(); ++i) {
    models.push_back(write(nets[i], folder.path() / (std::to_string(i) + ".onnx")));
  }
  return time_models(models, options, progress);
}

Timing CommandRunner::time(const fs::path& model, const TimingOptions& options) {
  const ModelFile as_it_is{fs::absolute(model), {}};
  return time_models({&as_it_is, 1}, options, {}).front();
}

std::vector<Timing> CommandRunner::time_models(std::span<const ModelFile> models,
                                               const TimingOptions& options,
                                               const TurnFn& progress) {
  time_interleaved({}, options);  // checks them
  std::vector<Timing> timings(models.size());
  std::vector<std::vector<Reported>> reported(models.size());
  const int total = options.rounds * static_cast<int>(models.size());
  int done = 0;
  for (int round = 0; round < options.rounds; ++round) {
    for (std::size_t i = 0; i < models.size(); ++i) {
      // A call that loads the model anew needs the whole warm-up; a model that stayed finds
      // another's data in the caches.
      const int warmup_runs =
          protocol_->stays() && round > 0 ? 1 : std::max(1, options.warmup_runs);
      StatedTurn some = turn(models[i], warmup_runs, options.runs_per_round, options.round_ms);
      check_same_device(some);
      if (round == 0) {
        timings[i].first_ms = some.first_ms.value_or(0.0);
        timings[i].warmup_runs = warmup_runs;
      }
      timings[i].rounds_ms.push_back(std::move(some.times_ms));
      reported[i].push_back(std::move(some.reported));
      if (progress) progress(++done, total);
    }
  }
  protocol_->release();
  for (std::size_t i = 0; i < models.size(); ++i) {
    timings[i].reported = together(reported[i]);
  }
  return timings;
}

ModelFile CommandRunner::write(const graph::Net& net, const fs::path& path) const {
  const graph::Net folded = graph::fold_batch_norm(net);
  options_.write_model(folded, path);
  return {path, folded.graph.input_shape()};
}

StatedTurn CommandRunner::turn(const ModelFile& model, int warmup_runs, int runs, double max_ms) {
  for (int attempt = 0;; ++attempt) {
    try {
      StatedTurn turn = protocol_->turn(model, warmup_runs, runs, max_ms);
      check_precision(turn);
      return turn;
    } catch (const Error& error) {
      if (attempt == options_.retries) {
        throw Error("runner `" + options_.command + "`: " + error.what() + " (" +
                    std::to_string(attempt + 1) + " attempts)");
      }
    }
  }
}

/// A program that says nothing of precision computes as its models do.
void CommandRunner::check_precision(StatedTurn& turn) const {
  if (turn.precision == kFloat32) {
    turn.precision = options_.precision;
  } else if (options_.precision != kFloat32 && turn.precision != options_.precision) {
    throw Error("computes in " + turn.precision + " where its models are " + options_.precision);
  }
}

void CommandRunner::check_same_device(const StatedTurn& turn) const {
  if (turn.device != device_ || turn.runtime != runtime_ || turn.precision != precision_) {
    throw Error("runner `" + options_.command + "`: was " + device_ + ", " + runtime_ + ", " +
                precision_ + ", and is now " + turn.device + ", " + turn.runtime + ", " +
                turn.precision);
  }
}

}  // namespace lathe::measure

#include "lathe/measure/runners/runner_protocol.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <set>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/measure/runners/process.h"
#include "lathe/measure/runners/runner.h"
#include "lathe/measure/runners/runner_service.h"
#include "lathe/measure/runners/worker_process.h"
#include "lathe/measure/timing.h"

namespace lathe::measure {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// Clocks of two processes, read at other moments.
constexpr double kClockSlack = 1.02;
constexpr double kClockSlackMs = 2;

std::string shortened(const std::string& text) { return text.substr(0, 200); }

nlohmann::json shape_of(const ModelFile& model, int batch) {
  if (!model.input) {
    return nullptr;
  }
  return {batch, model.input->channels, model.input->height, model.input->width};
}

/// @throws Error if what the program states is no time, or more than there was.
StatedTurn turn_of(const nlohmann::json& answer, double wall_ms) {
  StatedTurn turn{.device = json_member<std::string>(answer, "device", "answer"),
                  .runtime = json_member<std::string>(answer, "runtime", "answer"),
                  .precision = kFloat32,
                  .first_ms = {},
                  .times_ms = json_member<std::vector<double>>(answer, "latencies_ms", "answer"),
                  .wall_ms = wall_ms,
                  .reported = reported_from_json(answer, "answer")};
  if (answer.contains("precision")) {
    turn.precision = json_member<std::string>(answer, "precision", "answer");
  }
  if (answer.contains("first_ms")) {
    turn.first_ms = json_member<double>(answer, "first_ms", "answer");
  }
  if (turn.times_ms.empty() || *std::ranges::min_element(turn.times_ms) <= 0) {
    throw Error("answer: latencies_ms must be times > 0, at least one");
  }
  const double stated_ms = std::accumulate(turn.times_ms.begin(), turn.times_ms.end(), 0.0);
  if (stated_ms > kClockSlack * wall_ms + kClockSlackMs) {
    throw Error("states " + ms_text(stated_ms) + " in a call that took " + ms_text(wall_ms) +
                "; latencies_ms must be milliseconds");
  }
  return turn;
}

class CallProtocol final : public RunnerProtocol {
 public:
  CallProtocol(const ProtocolOptions& options, const fs::path& folder)
      : options_(options), folder_(folder) {}

  StatedTurn turn(const ModelFile& model, int warmup_runs, int runs, double max_ms) override {
    const nlohmann::ordered_json request{{"version", 1},
                                         {"model", model.path.string()},
                                         {"input_shape", shape_of(model, options_.batch)},
                                         {"batch", options_.batch},
                                         {"threads", options_.threads},
                                         {"precision", options_.precision},
                                         {"warmup_runs", warmup_runs},
                                         {"runs", runs},
                                         {"max_ms", max_ms}};
    const ProcessResult result = run_process(options_.command, {model.path.string()},
                                             request.dump() + "\n", options_.timeout_s, folder_);
    const std::string last_words = shortened(last_line(result.err));
    const std::string complaint = last_words.empty() ? "" : "; its last words: " + last_words;
    if (result.timed_out) {
      throw Error("no answer within " + std::to_string(static_cast<int>(options_.timeout_s)) +
                  " s" + complaint);
    }
    if (result.exit_code != 0) {
      throw Error("exit status " + std::to_string(result.exit_code) + complaint);
    }
    const auto answer = object_of_line(last_line(result.out));
    if (!answer) {
      throw Error("expected a last line of JSON with latencies_ms, got \"" +
                  shortened(last_line(result.out)) + "\"");
    }
    return turn_of(*answer, result.wall_ms);
  }
  bool stays() const override { return false; }
  void release() override {}
  void renew() override {}

 private:
  ProtocolOptions options_;
  fs::path folder_;
};

class WorkerProtocol final : public RunnerProtocol {
 public:
  WorkerProtocol(const ProtocolOptions& options, const fs::path& folder)
      : options_(options), folder_(folder) {}

  StatedTurn turn(const ModelFile& model, int warmup_runs, int runs, double max_ms) override {
    try {
      if (!worker_) {
        begin();
      }
      if (!loaded_.contains(model.path)) {
        ask({{"request", "load"},
             {"model", model.path.string()},
             {"input_shape", shape_of(model, options_.batch)}});
        loaded_.insert(model.path);
        warmup_runs = std::max(1, warmup_runs);
      }
      const Clock::time_point start = Clock::now();
      nlohmann::json answer = ask({{"request", "time"},
                                   {"model", model.path.string()},
                                   {"warmup_runs", warmup_runs},
                                   {"runs", runs},
                                   {"max_ms", max_ms}});
      const double wall_ms = since_ms(start);
      for (const auto& [key, value] : hello_.items()) {  // what the answer does not say anew
        answer.emplace(key, value);
      }
      return turn_of(answer, wall_ms);
    } catch (const Error&) {
      worker_.reset();
      loaded_.clear();
      throw;
    }
  }
  bool stays() const override { return true; }

  void release() override {
    try {
      for (const fs::path& model : loaded_) {
        ask({{"request", "unload"}, {"model", model.string()}});
      }
    } catch (const Error&) {  // what was timed stands; the next turn begins anew
      worker_.reset();
    }
    loaded_.clear();
  }

  void renew() override {
    release();
    worker_.reset();
  }

 private:
  void begin() {
    worker_ = std::make_unique<WorkerProcess>(options_.command, folder_);
    hello_ = ask({{"request", "hello"},
                  {"version", 2},
                  {"threads", options_.threads},
                  {"batch", options_.batch},
                  {"precision", options_.precision}});
    json_member<std::string>(hello_, "device", "answer to hello");
  }

  /// The answer that has the request's number. Other lines, which libraries print, are passed over.
  nlohmann::json ask(nlohmann::ordered_json request) {
    const int id = ++requests_;
    request["id"] = id;
    worker_->send(request.dump(), options_.timeout_s);
    const Clock::time_point start = Clock::now();
    for (;;) {
      const double left_s = std::max(0.0, options_.timeout_s - since_ms(start) / 1000);
      const auto answer = object_of_line(worker_->next_line(left_s));
      if (!answer || !answer->contains("id")) {
        continue;
      }
      if (json_member<int>(*answer, "id", "answer") != id) {
        throw Error("answers request " + answer->at("id").dump() + " where " + std::to_string(id) +
                    " was asked");
      }
      if (answer->contains("error")) {
        throw Error(shortened(json_member<std::string>(*answer, "error", "answer")));
      }
      return *answer;
    }
  }

  ProtocolOptions options_;
  fs::path folder_;
  std::unique_ptr<WorkerProcess> worker_;
  std::set<fs::path> loaded_;
  nlohmann::json hello_;
  int requests_ = 0;
};

}  // namespace

std::string ms_text(double ms) {
  std::string text = std::to_string(ms);
  return text.substr(0, text.find('.') + 3) + " ms";
}

std::unique_ptr<RunnerProtocol> make_call_protocol(const ProtocolOptions& options,
                                                   const fs::path& folder) {
  return std::make_unique<CallProtocol>(options, folder);
}

std::unique_ptr<RunnerProtocol> make_worker_protocol(const ProtocolOptions& options,
                                                     const fs::path& folder) {
  return std::make_unique<WorkerProtocol>(options, folder);
}

}  // namespace lathe::measure

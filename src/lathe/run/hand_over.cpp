#include "lathe/run/hand_over.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/deploy/onnx.h"
#include "lathe/deploy/torchscript.h"
#include "lathe/graph/counts.h"
#include "lathe/run/net_file.h"

namespace lathe::run {
namespace {

/// A candidate taken out of the supernet, and how long it took.
struct Measured {
  search::Candidate candidate;
  graph::Net net;
  measure::LatencyStats latency;
};

graph::Net extract(const Workshop& shop, const space::Arch& arch) {
  return shop.evaluator.extract(shop.weights, shop.space.graph(arch));
}

Measured measure_candidate(const Workshop& shop, const search::Candidate& candidate) {
  graph::Net net = extract(shop, candidate.arch);
  const measure::Timing timing = shop.runner.time({&net, 1}, shop.options.winner_timing).front();
  return {candidate, std::move(net), measure::latency_stats(timing.times_ms())};
}

std::vector<search::Candidate> in_order_of_trial(const search::TargetResult& target,
                                                 const std::vector<search::Candidate>& front) {
  std::vector<search::Candidate> all = target.candidates;
  for (const search::Candidate& candidate : front) {
    const bool listed = std::find(all.begin(), all.end(), candidate) != all.end();
    if (!listed && candidate.predicted_ms <= target.target_ms) {
      all.push_back(candidate);
    }
  }
  std::sort(all.begin(), all.end(), search::better);
  return all;
}

/// Tries candidates until one holds; the medians of those that it replaces go to `replaced_ms`.
Measured find_winner(const Workshop& shop, const search::TargetResult& target,
                     const std::vector<search::Candidate>& front,
                     std::vector<double>& replaced_ms) {
  std::vector<search::Candidate> untried = in_order_of_trial(target, front);
  std::optional<Measured> fastest;
  double limit_ms = target.target_ms;  // of predictions worth a try
  bool last_resort = false;
  while (!untried.empty() && !last_resort) {
    auto next = std::find_if(untried.begin(), untried.end(), [&](const search::Candidate& c) {
      return c.predicted_ms <= limit_ms;
    });
    if (next == untried.end()) {  // the limit is a guess: the fastest that is left may hold
      next = std::min_element(untried.begin(), untried.end(), [](const auto& a, const auto& b) {
        return a.predicted_ms < b.predicted_ms;
      });
      last_resort = true;
    }
    Measured measured = measure_candidate(shop, *next);
    untried.erase(next);
    const double ms = measured.latency.p50_ms;
    if (ms <= target.target_ms) {
      return measured;
    }
    const double predicted_ms = measured.candidate.predicted_ms;
    shop.progress({"verify", 0, 0,
                   fmt::format("target {:.3f} ms: a candidate predicted at {:.3f} ms measured "
                               "{:.3f} ms",
                               target.target_ms, predicted_ms, ms)});
    limit_ms = std::min(limit_ms, predicted_ms * target.target_ms / ms);
    replaced_ms.push_back(ms);
    if (!fastest || ms < fastest->latency.p50_ms) {
      fastest = std::move(measured);
    }
    if (static_cast<int>(replaced_ms.size()) >= shop.options.winner_attempts) {
      break;
    }
  }
  // None holds. The one that is handed over was not replaced.
  replaced_ms.erase(std::find(replaced_ms.begin(), replaced_ms.end(), fastest->latency.p50_ms));
  return std::move(*fastest);
}

void write_net(const Workshop& shop, const Measured& winner, const std::filesystem::path& dir) {
  const nlohmann::ordered_json arch = shop.space.to_json(winner.candidate.arch);
  write_json(dir / "arch.json", arch);
  save_net(dir / "weights.safetensors", winner.net, shop.space, winner.candidate.arch);
  const graph::Net folded = graph::fold_batch_norm(winner.net);
  deploy::export_onnx(folded, dir / "model.onnx", {.doc = arch.dump()});
  deploy::export_torchscript(folded, dir / "model.pt");
  const nn::Executor executor(winner.net.graph);
  const nn::Binding binding = nn::bind(winner.net);
  deploy::verify_torchscript(folded.graph, dir / "model.pt", [&](const FloatTensor& input) {
    const c10::NoGradGuard no_grad;
    return nn::from_torch(executor.forward(binding, nn::to_torch(input)));
  });
}

}  // namespace

std::string target_name(double target_ms) { return fmt::format("{}ms", target_ms); }

TargetResult hand_over(const Workshop& shop, const search::TargetResult& target,
                       const std::vector<search::Candidate>& front) {
  if (!target.feasible) {
    return {.target_ms = target.target_ms, .feasible = false, .minimum_ms = target.minimum_ms};
  }
  const std::string name = target_name(target.target_ms);
  const std::filesystem::path dir = shop.folder.net(name);
  const std::filesystem::path done = dir / "target.json";
  if (std::filesystem::exists(done)) {
    return target_result_from_json(read_json(done), done.string());
  }
  TargetResult result{.target_ms = target.target_ms};
  const Measured winner = find_winner(shop, target, front, result.replaced_ms);
  result.predicted_ms = winner.candidate.predicted_ms;
  result.predicted_accuracy = winner.candidate.predicted_accuracy;
  result.measured_ms = winner.latency.p50_ms;
  result.measured_p90_ms = winner.latency.p90_ms;
  result.within_target = result.measured_ms <= result.target_ms;
  result.macs = graph::macs(winner.net.graph);
  result.params = graph::params(winner.net.graph);
  result.arch = shop.space.to_json(winner.candidate.arch);
  result.dir = "nets/" + name;
  write_net(shop, winner, dir);
  result.test_accuracy =
      shop.evaluator.top1(nn::Executor(winner.net.graph), nn::bind(winner.net), shop.dataset.test);
  write_json(done, to_json(result));
  return result;
}

}  // namespace lathe::run

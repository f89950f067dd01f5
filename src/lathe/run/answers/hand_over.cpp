#include "lathe/run/answers/hand_over.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "lathe/core/file.h"
#include "lathe/core/statistics.h"
#include "lathe/graph/counts.h"
#include "lathe/measure/verdict.h"
#include "lathe/run/answers/certificate.h"
#include "lathe/run/answers/int8.h"
#include "lathe/run/answers/net_file.h"
#include "lathe/run/answers/winners.h"
#include "lathe/space/subspace.h"

namespace lathe::run {
namespace {

constexpr int kLeastSessions = 3;  // of what is handed over, at least
constexpr const char* kInt8Model = "model_int8.onnx";

struct Anew {
  double p90_ms = 0;               ///< of all runs
  std::vector<double> session_ms;  ///< and those that judged the candidate
  measure::Reported reported;
};

Anew measured_anew(const Workshop& shop, const graph::Net& net, const Answer& answer) {
  std::vector<double> times_ms;
  std::vector<measure::Reported> reported;
  std::vector<double> session_ms =
      more_sessions(answer.winner.judged_ms, answer.target_ms, answer.winner.alpha, [&] {
        shop.runner.renew();
        const measure::Timing timed = time_session(shop.runner, net, shop.options);
        const std::vector<double> some = timed.times_ms();
        reported.push_back(timed.reported);
        times_ms.insert(times_ms.end(), some.begin(), some.end());
        return quantile(some, shop.options.quantile);
      });
  return {quantile(times_ms, 0.9), std::move(session_ms), measure::together(reported)};
}

/// Writes the net in 8 bits into `dir`. `known`: what a faster target says of the same net.
Int8Result save_int8(const Workshop& shop, const Answer& answer, const DescribedNet& net,
                     const std::filesystem::path& dir, const std::optional<Int8Result>& known) {
  const Int8Evaluator int8(shop.trained.dataset, *shop.options.int8, shop.trained.seed,
                           shop.trained.device());
  const deploy::QuantizedNet quantized = int8.quantize(answer.net);
  save_int8_onnx(dir / kInt8Model, net, quantized);
  return known ? *known
               : Int8Result{.validation_accuracy = *answer.int8_validation_top1,
                            .test_accuracy = int8.top1(quantized, shop.trained.dataset.test),
                            .model = kInt8Model};
}

}  // namespace

std::vector<double> more_sessions(std::vector<double> judged_ms, double target_ms, double alpha,
                                  const std::function<double()>& session) {
  TargetResult so_far{.target_ms = target_ms, .session_ms = std::move(judged_ms), .alpha = alpha};
  const auto undecided = [&] {
    judge(so_far);
    return so_far.verdict == measure::Verdict::kUndecided;
  };
  for (int i = 0;
       i < kLeastSessions || (undecided() && std::ssize(so_far.session_ms) < kMostSessions); ++i) {
    so_far.session_ms.push_back(session());
  }
  return so_far.session_ms;
}

TargetResult hand_over(const Workshop& shop, const Answer& answer,
                       const std::vector<TargetResult>& before) {
  const std::string name = target_name(answer.target_ms);
  const std::filesystem::path dir = shop.folder.net(name);
  const std::filesystem::path done = dir / "target.json";
  if (std::filesystem::exists(done)) {
    const nlohmann::json kept = read_json(done);
    if (kept.contains("input_size") || !kept.contains("dir")) {
      return target_result_from_json(kept, done.string());
    }
    shop.progress(
        {"verify", 0, 0, done.string() + ": is of a version whose nets take no pixels; made anew"});
  }
  const search::Candidate& candidate = answer.winner.candidate;
  const space::NamedNet named = space::in_whole(*shop.trained.space, candidate.arch);
  const NetInput input = net_input(shop.trained.dataset, named.space->input_size(named.arch));
  TargetResult result;
  const auto same = std::find_if(before.begin(), before.end(), [&](const TargetResult& faster) {
    return answer.same_as_ms == faster.target_ms;
  });
  if (same != before.end()) {
    result = *same;
  } else {
    Anew anew = measured_anew(shop, on_pixels(answer.net, input), answer);
    result = {.predicted_ms = candidate.predicted_ms,
              .measured_p90_ms = anew.p90_ms,
              .session_ms = std::move(anew.session_ms),
              .reported = anew.reported,
              .within_limits = limit_share(anew.reported, shop.options) <= 1,
              .predicted_accuracy = candidate.predicted_accuracy,
              .validation_accuracy = answer.validation_top1,
              .test_accuracy = shop.evaluator.top1(nn::Executor(answer.net.graph),
                                                   nn::bind(answer.net, shop.trained.device()),
                                                   shop.trained.dataset.test),
              .macs = graph::macs(answer.net.graph),
              .params = graph::params(answer.net.graph),
              .input_size = input.size,
              .trained = answer.trained,
              .replaced_ms = answer.winner.replaced_ms,
              .arch = named.space->to_json(named.arch)};
  }
  result.target_ms = answer.target_ms;
  result.alpha = answer.winner.alpha;
  judge(result);
  result.same_as_ms = answer.same_as_ms;
  result.dir = "nets/" + name;
  const DescribedNet described{answer.net, *named.space, named.arch, input};
  save_all_formats(dir, described);
  if (shop.options.int8) {
    result.int8 = save_int8(shop, answer, described, dir, result.int8);
  }
  write_json(dir / "certificate.json", certificate(shop, result));
  write_json(done, to_json(result));
  return result;
}

}  // namespace lathe::run

#include "lathe/run/answers/answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/measure/benchmark.h"
#include "lathe/nn/executor.h"
#include "lathe/run/answers/net_input.h"
#include "lathe/run/answers/settle.h"
#include "lathe/run/stages/accuracy_stage.h"
#include "lathe/space/subspace.h"

namespace lathe::run {

std::string target_name(double target_ms) { return fmt::format("{}ms", target_ms); }

namespace {

double square(double x) { return x * x; }

/// What an evaluation on `images` says of an accuracy beside a prediction: its share of both
/// together, each weighted by its variance.
double share_of_evaluation(double rmse, double evaluated, double images) {
  const double noise = std::max(1e-12, evaluated * (1 - evaluated) / images);
  const double doubt = std::max(1e-12, square(rmse));
  return doubt / (doubt + noise);
}

/// The candidates again, those that were evaluated first and best of them first; what the others
/// are thought to be has not been looked at, and is no reason to prefer them.
std::vector<search::Candidate> ranked(const std::vector<search::Candidate>& candidates,
                                      const std::map<space::Arch, double>& evaluated, double rmse,
                                      double images) {
  std::vector<search::Candidate> known, others;
  for (search::Candidate candidate : candidates) {
    const auto found = evaluated.find(candidate.arch);
    if (found == evaluated.end()) {
      others.push_back(std::move(candidate));
      continue;
    }
    const double share = share_of_evaluation(rmse, found->second, images);
    candidate.predicted_accuracy += share * (found->second - candidate.predicted_accuracy);
    known.push_back(std::move(candidate));
  }
  std::sort(known.begin(), known.end(), search::better);
  for (search::Candidate& other : others) {
    other.predicted_accuracy = std::min(other.predicted_accuracy, known.back().predicted_accuracy);
  }
  known.insert(known.end(), others.begin(), others.end());
  return known;
}

std::vector<search::TargetResult> feasible(const search::SearchResult& found) {
  std::vector<search::TargetResult> targets;
  std::copy_if(found.targets.begin(), found.targets.end(), std::back_inserter(targets),
               [](const search::TargetResult& target) { return target.feasible; });
  return targets;
}

/// Whether no evaluation could change what the predictor says: it is that sure.
bool evaluation_is_idle(const std::vector<search::TargetResult>& targets, double rmse,
                        double images, const ProgressFn& progress) {
  constexpr double kIdleShare = 0.02;
  const bool idle = std::all_of(targets.begin(), targets.end(), [&](const auto& target) {
    return share_of_evaluation(rmse, target.candidates.front().predicted_accuracy, images) <
           kIdleShare;
  });
  if (idle) {
    progress(
        {"accuracy", 0, 0,
         fmt::format("candidates are ranked as predicted: the predictor errs by {:.2f} points, "
                     "far less than {:.0f} images can tell",
                     100 * rmse, images)});
  }
  return idle;
}

std::vector<search::TargetResult> ranked_by_validation(const Workshop& shop,
                                                       const search::SearchResult& found,
                                                       double rmse) {
  std::vector<search::TargetResult> targets = feasible(found);
  const std::int64_t images = std::min<std::int64_t>(shop.options.accuracy.validation_images,
                                                     shop.trained.dataset.validation.size());
  if (targets.empty() ||
      evaluation_is_idle(targets, rmse, static_cast<double>(images), shop.progress)) {
    return targets;
  }
  std::vector<space::Arch> archs;
  std::set<space::Arch> listed;
  if (std::filesystem::exists(shop.folder.candidates())) {  // of these targets, or earlier ones
    for (const auto& sample :
         accuracy::read_samples(shop.folder.candidates(), *shop.trained.space).samples) {
      archs.push_back(sample.arch);
      listed.insert(sample.arch);
    }
  }
  for (const search::TargetResult& target : targets) {
    const auto count =
        std::min(static_cast<std::size_t>(shop.options.candidates), target.candidates.size());
    for (std::size_t i = 0; i < count; ++i) {
      if (listed.insert(target.candidates[i].arch).second) {
        archs.push_back(target.candidates[i].arch);
      }
    }
  }
  const auto samples = evaluate_subnets(
      shop.trained, shop.evaluator, archs,
      {.images = images, .threads = threads_of(shop.job.threads), .int8 = shop.options.int8},
      shop.folder.candidates(), shop.progress);
  std::map<space::Arch, double> evaluated;
  for (const accuracy::AccuracySample& sample : samples) {
    evaluated[sample.arch] = sample.accuracy;
  }
  for (search::TargetResult& target : targets) {
    target.candidates = ranked(target.candidates, evaluated, rmse, static_cast<double>(images));
  }
  return targets;
}

nlohmann::ordered_json to_json(const Winner& winner, const space::Space& space) {
  return {{"arch", space.to_json(winner.candidate.arch)},
          {"predicted_ms", winner.candidate.predicted_ms},
          {"accuracy", winner.candidate.predicted_accuracy},
          {"verdict", measure::to_string(winner.verdict)},
          {"alpha", winner.alpha},
          {"judged_ms", winner.judged_ms},
          {"replaced_ms", winner.replaced_ms}};
}

Winner winner_from_json(const nlohmann::json& json, const space::Space& space,
                        const std::string& where) {
  return {{space.from_json(json_member<nlohmann::json>(json, "arch", where), where),
           json_member<double>(json, "predicted_ms", where),
           json_member<double>(json, "accuracy", where)},
          measure::verdict_from_string(json_member<std::string>(json, "verdict", where), where),
          json_member<double>(json, "alpha", where),
          json_member<std::vector<double>>(json, "judged_ms", where),
          json_member<std::vector<double>>(json, "replaced_ms", where)};
}

/// Sessions of the archs as they are in the trained weights, each taken out of them once.
SessionFn sessions(const Workshop& shop) {
  const auto nets = std::make_shared<std::map<space::Arch, graph::Net>>();
  return [&shop, nets](const space::Arch& arch) {
    auto found = nets->find(arch);
    if (found == nets->end()) {
      const graph::Net net =
          shop.evaluator.extract(*shop.trained.weights, shop.trained.space->graph(arch));
      const int size = shop.trained.space->input_size(arch);
      found = nets->emplace(arch, on_pixels(net, net_input(shop.trained.dataset, size))).first;
    }
    return session(shop.runner, found->second, shop.options);
  };
}

/// Each of the archs as it is in the supernet, or trained alone where that is better.
std::map<space::Arch, Made> make_nets(const Workshop& shop, const std::vector<Winner>& winners,
                                      const std::vector<double>& targets_ms,
                                      const std::vector<TrainedAlone>& ways) {
  const auto best =
      std::max_element(winners.begin(), winners.end(), [](const Winner& a, const Winner& b) {
        return a.candidate.predicted_accuracy < b.candidate.predicted_accuracy;
      });
  std::map<space::Arch, Made> nets;
  for (const space::Arch& arch : different_nets(winners)) {
    graph::Net net = shop.evaluator.extract(*shop.trained.weights, shop.trained.space->graph(arch));
    nets.emplace(arch, made_of(shop, std::move(net), "with the others"));
  }
  for (const TrainedAlone& way : ways) {
    const std::vector<space::Arch> some =
        worth_training_alone(winners, targets_ms, static_cast<std::size_t>(way.at_most));
    std::vector<graph::Net> tuned =
        fine_tune(shop.trained, shop.job, shop.evaluator, some, best->candidate.arch, way.how,
                  shop.folder, shop.progress);
    for (std::size_t i = 0; i < some.size(); ++i) {
      Made alone =
          made_of(shop, std::move(tuned[i]),
                  way.how.from_scratch ? "alone, from scratch" : "with the others, then alone");
      if (Made& made = nets.at(some[i]); alone.quality() > made.quality()) {
        made = std::move(alone);
      }
    }
  }
  return nets;
}

}  // namespace

Made made_of(const Workshop& shop, graph::Net net, std::string trained) {
  const data::ImageSet& images = shop.trained.dataset.validation;
  Made made{std::move(net), 0, std::move(trained)};
  made.validation_top1 = shop.evaluator.top1(nn::Executor(made.net.graph),
                                             nn::bind(made.net, shop.trained.device()), images);
  if (shop.options.int8) {
    const Int8Evaluator int8(shop.trained.dataset, *shop.options.int8, shop.trained.seed,
                             shop.trained.device());
    made.int8_validation_top1 = int8.top1(made.net, images);
  }
  return made;
}

std::vector<Winner> winners_of(const Workshop& shop, std::span<const search::TargetResult> targets,
                               const std::vector<search::Candidate>& front,
                               const SessionFn& measure) {
  const space::Space& space = *shop.trained.space;
  std::vector<search::TargetResult> open;
  for (const search::TargetResult& target : targets) {
    const std::filesystem::path file = shop.folder.winner(target_name(target.target_ms));
    // An older version's says nothing that could be relied on.
    if (!std::filesystem::exists(file) || !read_json(file).contains("verdict")) {
      open.push_back(target);
    }
  }
  const std::vector<Winner> found = find_winners(
      open, front,
      {.attempts = shop.options.winner_attempts,
       .alpha = 1 - shop.options.confidence,
       .deviation = shop.noise.deviation,
       .renew = [&] { shop.runner.renew(); },
       .disturbed =
           [&] {
             return disturbed(shop.noise, space::whole_of(space), shop.runner, shop.options);
           }},
      measure, shop.progress);
  for (std::size_t i = 0; i < open.size(); ++i) {
    write_json(shop.folder.winner(target_name(open[i].target_ms)), to_json(found[i], space));
  }
  std::vector<Winner> winners;
  for (const search::TargetResult& target : targets) {
    const std::filesystem::path file = shop.folder.winner(target_name(target.target_ms));
    winners.push_back(winner_from_json(read_json(file), space, file.string()));
  }
  return winners;
}

std::vector<Answer> find_answers(const Workshop& shop, const search::SearchResult& found,
                                 const AnswerOptions& options) {
  const std::vector<search::TargetResult> targets =
      ranked_by_validation(shop, found, options.predictor_rmse);
  if (targets.empty()) {
    return {};
  }
  const std::vector<Winner> winners = winners_of(shop, targets, found.front, sessions(shop));
  std::vector<double> targets_ms;
  for (const search::TargetResult& target : targets) {
    targets_ms.push_back(target.target_ms);
  }
  const std::map<space::Arch, Made> nets = make_nets(shop, winners, targets_ms, options.alone);
  return settled(winners, targets_ms, nets);
}

std::vector<Answer> answers_of_one_net(const Workshop& shop, const std::vector<double>& targets_ms,
                                       double predicted_ms) {
  const space::Arch& arch = *shop.trained.arch;
  const Made made =
      made_of(shop, shop.evaluator.extract(*shop.trained.weights, shop.trained.space->graph(arch)),
              "alone");
  const search::Candidate candidate{arch, predicted_ms, made.quality()};
  std::vector<search::TargetResult> targets;
  for (const double target_ms : targets_ms) {
    targets.push_back({.target_ms = target_ms, .feasible = true, .candidates = {candidate}});
  }
  const std::vector<Winner> winners = winners_of(shop, targets, {}, sessions(shop));
  std::vector<Answer> answers;
  for (std::size_t i = 0; i < targets_ms.size(); ++i) {
    answers.push_back({made, targets_ms[i], winners[i], {}});
    if (i > 0) {
      answers.back().same_as_ms = targets_ms.front();
    }
  }
  return answers;
}

}  // namespace lathe::run

#include "lathe/train/records/train_state.h"

#include <ATen/ATen.h>

#include <string>
#include <utility>

#include "lathe/core/error.h"
#include "lathe/core/file.h"

namespace lathe::train {
namespace {

constexpr const char* kAverage = "average";
constexpr const char* kOptimizer = "optimizer";
constexpr const char* kTeacher = "teacher";
constexpr const char* kAverageValues = "values";

/// A member that counts some of the steps that are done.
std::int64_t count_of(const Checkpoint& checkpoint, const char* member, const std::string& where) {
  const auto count = json_member<std::int64_t>(checkpoint.state, member, where);
  if (count < 0 || count > checkpoint.steps_done) {
    throw Error(where + ": \"" + member + "\": expected at most the " +
                std::to_string(checkpoint.steps_done) + " steps that are done, got " +
                std::to_string(count));
  }
  return count;
}

}  // namespace

TrainState::TrainState(nn::SharedWeights& trained, const space::Space& nets, Strategy& plans,
                       const OptimizerOptions& options, double average_decay)
    : weights(trained),
      space(nets),
      strategy(plans),
      optimizer(make_optimizer(trained.parameters(), options)) {
  if (average_decay > 0) {
    average.emplace(weights.parameters(), average_decay);
  }
}

std::vector<at::Tensor> TrainState::companions() const {
  std::vector<at::Tensor> flat;
  for (const auto& [name, buffer] : optimizer->buffers()) {
    flat.push_back(buffer);
  }
  if (average) {
    flat.push_back(average->values());
  }
  return flat;
}

nn::SharedWeights& TrainState::new_teacher() {
  teacher = std::make_unique<nn::SharedWeights>(weights.name(), space.graph(space.largest()),
                                                space.elastic_kernels(),
                                                nn::WeightOptions{.device = weights.device()});
  return *teacher;
}

nlohmann::json TrainState::counted() const {
  return {{"strategy", strategy.state()},
          {"updates", optimizer->updates()},
          {"epoch_loss", in_epoch.loss},
          {"epoch_steps", in_epoch.steps}};
}

void TrainState::restore_counted(const nlohmann::json& counted) {
  strategy.restore(counted.at("strategy"));
  optimizer->set_updates(counted.at("updates").get<std::int64_t>());
  in_epoch = {.loss = counted.at("epoch_loss").get<double>(),
              .steps = counted.at("epoch_steps").get<std::int64_t>()};
}

void TrainState::save(const std::filesystem::path& path, const nlohmann::json& settings,
                      std::int64_t steps_done) const {
  Checkpoint checkpoint{.weights_of = weights.name(),
                        .steps_done = steps_done,
                        .settings = settings,
                        .state = counted(),
                        .weights = weights.state()};
  flat_parts().save(checkpoint);
  if (teacher) {
    checkpoint.parts[kTeacher] = teacher->state();
  }
  save_checkpoint(path, checkpoint);
}

FlatParts TrainState::flat_parts() const {
  FlatParts parts;
  for (const auto& [name, buffer] : optimizer->buffers()) {
    parts.add(kOptimizer, name, weights.parameters(), buffer);
  }
  if (average) {
    parts.add(kAverage, kAverageValues, weights.parameters(), average->values());
  }
  return parts;
}

/// Checks that everything fits before anything is changed.
void TrainState::restore_tensors(const Checkpoint& checkpoint, const std::string& where) {
  weights.check_state(checkpoint.weights, where);
  const FlatParts flat = flat_parts();
  flat.check(checkpoint, where);
  const auto saved_teacher = checkpoint.parts.find(kTeacher);
  if (saved_teacher != checkpoint.parts.end()) {
    new_teacher().load_state(saved_teacher->second, where);
  }
  weights.load_state(checkpoint.weights, where);
  flat.load(checkpoint);
}

std::int64_t TrainState::restore(const std::filesystem::path& path,
                                 const nlohmann::json& settings) {
  if (!std::filesystem::exists(path)) {
    return 0;
  }
  const Checkpoint checkpoint = load_checkpoint(path, weights.name());
  check_settings(checkpoint, settings, path);
  const std::string where = path.string() + ": state";
  const auto strategy_state = checkpoint.state.find("strategy");
  const std::int64_t updates = count_of(checkpoint, "updates", where);
  const Tally epoch{.loss = json_member<double>(checkpoint.state, "epoch_loss", where),
                    .steps = count_of(checkpoint, "epoch_steps", where)};
  strategy.restore(strategy_state == checkpoint.state.end() ? nlohmann::json() : *strategy_state);
  if (checkpoint.steps_done > strategy.total_steps()) {
    throw Error(path.string() + ": says that " + std::to_string(checkpoint.steps_done) +
                " steps are done, of " + std::to_string(strategy.total_steps()));
  }
  restore_tensors(checkpoint, path.string());
  optimizer->set_updates(updates);
  in_epoch = epoch;
  return checkpoint.steps_done;
}

void TrainState::share(dist::ProcessGroup& group) const {
  train::share(weights, group);
  for (const at::Tensor& flat : companions()) {
    group.broadcast(flat);
  }
}

void share(const nn::SharedWeights& weights, dist::ProcessGroup& group) {
  group.broadcast(weights.parameters().values());
  std::vector<at::Tensor> flat;
  for (const auto& [name, statistic] : weights.statistics()) {
    flat.push_back(statistic.reshape(-1));
  }
  if (flat.empty()) {
    return;
  }
  const at::Tensor all = at::cat(flat);  // one message in place of hundreds
  group.broadcast(all);
  std::int64_t begin = 0;
  for (const at::Tensor& statistic : flat) {  // a view: they are contiguous
    statistic.copy_(all.narrow(0, begin, statistic.numel()));
    begin += statistic.numel();
  }
}

void load_trained(const std::filesystem::path& path, nn::SharedWeights& weights) {
  const Checkpoint checkpoint = load_checkpoint(path, weights.name());
  weights.check_state(checkpoint.weights, path.string());
  FlatParts average;  // which then are the weights
  if (checkpoint.parts.contains(kAverage)) {
    average.add(kAverage, kAverageValues, weights.parameters(), weights.parameters().values());
  }
  average.check(checkpoint, path.string());
  weights.load_state(checkpoint.weights, path.string());
  average.load(checkpoint);
}

}  // namespace lathe::train

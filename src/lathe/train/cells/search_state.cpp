#include "lathe/train/cells/search_state.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "lathe/core/file.h"
#include "lathe/train/cells/search_cells.h"
#include "lathe/train/records/checkpoint.h"
#include "lathe/train/records/flat_parts.h"

namespace lathe::train {
namespace {

constexpr const char* kOptimizer = "optimizer";
constexpr const char* kLogitsOptimizer = "logits_optimizer";
constexpr const char* kLogits = "logits";
constexpr const char* kValues = "values";
constexpr const char* kMomentum = "momentum";

FlatParts flat_parts(const SearchState& state) {
  FlatParts parts;
  const nn::Parameters& logits = state.mixer.parameters();
  parts.add(kLogits, kValues, logits, logits.values());
  for (const auto& [name, buffer] : state.optimizer->buffers()) {
    parts.add(kOptimizer, name, state.weights.parameters(), buffer);
  }
  for (const auto& [name, buffer] : state.logits_optimizer->buffers()) {
    parts.add(kLogitsOptimizer, name, logits, buffer);
  }
  return parts;
}

nlohmann::json to_json(const Tally& tally) {
  return {{"loss", tally.loss}, {"steps", tally.steps}};
}

Tally tally_from_json(const nlohmann::json& json, const std::string& where) {
  return {.loss = json_member<double>(json, "loss", where),
          .steps = json_member<std::int64_t>(json, "steps", where)};
}

}  // namespace

SearchState::SearchState(nn::SharedWeights& searched, CellMixer& mixed,
                         const SearchCellsOptions& options)
    : weights(searched),
      mixer(mixed),
      optimizer(make_optimizer(searched.parameters(), options.optimizer)),
      logits_optimizer(make_optimizer(mixed.parameters(), options.logits_optimizer)),
      multiplier(options.goal.weight) {}

at::Tensor SearchState::momentum() const {
  const auto found = optimizer->buffers().find(kMomentum);
  return found == optimizer->buffers().end() ? at::Tensor() : found->second;
}

nlohmann::json SearchState::counted() const {
  nlohmann::json past = nlohmann::json::array();
  for (const search::CellLogits& logits : history) {
    past.push_back(nlohmann::json(logits.to_json()));
  }
  return {{"updates", optimizer->updates()},
          {"logits_updates", logits_optimizer->updates()},
          {"multiplier", multiplier},
          {"expected", expected},
          {"entropy", entropy},
          {"meeting", meeting ? nlohmann::json(meeting->to_json()) : nlohmann::json()},
          {"passed", search::to_json(passed)},
          {"eigenvalues", eigenvalues},
          {"history", past},
          {"stopped", stopped},
          {"epoch", to_json(epoch.weights)},
          {"logits_epoch", to_json(epoch.logits)}};
}

void SearchState::restore_counted(const nlohmann::json& counted, const std::string& where) {
  const auto updates = json_member<std::int64_t>(counted, "updates", where);
  const auto logits_updates = json_member<std::int64_t>(counted, "logits_updates", where);
  multiplier = json_member<double>(counted, "multiplier", where);
  expected = json_member<double>(counted, "expected", where);
  entropy = json_member<double>(counted, "entropy", where);
  const auto met = json_member<nlohmann::json>(counted, "meeting", where);
  meeting.reset();
  if (!met.is_null()) {
    meeting = search::CellLogits::from_json(met, where);
  }
  passed = search::passed_from_json(json_member<nlohmann::json>(counted, "passed", where),
                                    where + ": passed");
  eigenvalues = json_member<std::vector<double>>(counted, "eigenvalues", where);
  history.clear();
  for (const nlohmann::json& logits : json_member<nlohmann::json>(counted, "history", where)) {
    history.push_back(search::CellLogits::from_json(logits, where));
  }
  stopped = json_member<bool>(counted, "stopped", where);
  epoch.weights = tally_from_json(json_member<nlohmann::json>(counted, "epoch", where), where);
  epoch.logits =
      tally_from_json(json_member<nlohmann::json>(counted, "logits_epoch", where), where);
  optimizer->set_updates(updates);
  logits_optimizer->set_updates(logits_updates);
}

void SearchState::share(dist::ProcessGroup& group) const {
  train::share(weights, group);
  for (const auto& [name, buffer] : optimizer->buffers()) {
    group.broadcast(buffer);
  }
  // The logits are on the CPU; processes speak where the weights are.
  std::vector<at::Tensor> of_logits{mixer.parameters().values()};
  for (const auto& [name, buffer] : logits_optimizer->buffers()) {
    of_logits.push_back(buffer);
  }
  const c10::NoGradGuard no_grad;
  for (const at::Tensor& flat : of_logits) {
    const at::Tensor there = flat.to(weights.device());
    group.broadcast(there);
    flat.copy_(there);
  }
}

void SearchState::save(const std::filesystem::path& path, const nlohmann::json& settings,
                       std::int64_t steps_done) const {
  Checkpoint checkpoint{.weights_of = weights.name(),
                        .steps_done = steps_done,
                        .settings = settings,
                        .state = counted(),
                        .weights = weights.state()};
  flat_parts(*this).save(checkpoint);
  save_checkpoint(path, checkpoint);
}

std::int64_t SearchState::restore(const std::filesystem::path& path,
                                  const nlohmann::json& settings) {
  if (!std::filesystem::exists(path)) {
    return 0;
  }
  const Checkpoint checkpoint = load_checkpoint(path, weights.name());
  check_settings(checkpoint, settings, path);
  const std::string where = path.string() + ": state";
  weights.check_state(checkpoint.weights, path.string());
  const FlatParts flat = flat_parts(*this);
  flat.check(checkpoint, path.string());
  restore_counted(checkpoint.state, where);
  weights.load_state(checkpoint.weights, path.string());
  flat.load(checkpoint);
  return checkpoint.steps_done;
}

}  // namespace lathe::train

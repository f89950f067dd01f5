#include "lathe/search/models.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "lathe/accuracy/stored_predictor.h"
#include "lathe/core/error.h"
#include "lathe/latency/models/block_table.h"
#include "lathe/latency/models/ofa_tables.h"
#include "lathe/latency/models/stored_model.h"

namespace lathe::search {
namespace {

using latency::LatencyModel;
using space::Arch;
using space::Space;

/// A model of a space, for the same space with fewer resolutions.
class FewerResolutions final : public LatencyModel {
 public:
  /// `part` must outlive the model.
  FewerResolutions(const Space& part, std::unique_ptr<const Space> whole,
                   std::unique_ptr<const LatencyModel> model)
      : whole_(std::move(whole)), model_(std::move(model)) {
    const std::vector<int> of_whole = whole_->input_sizes();
    for (const int size : part.input_sizes()) {
      choice_in_whole_.push_back(
          static_cast<std::uint8_t>(std::ranges::find(of_whole, size) - of_whole.begin()));
    }
    const auto& decisions = part.decisions();
    resolution_ = static_cast<std::size_t>(
        std::ranges::find(decisions, "r", &space::Decision::group) - decisions.begin());
    if (const space::SlotCosts* costs = model_->slot_costs()) {
      slot_costs_.emplace(
          part,
          [&](int slot, const Arch& arch) {
            return costs->at(static_cast<std::size_t>(slot), in_whole(arch));
          },
          costs->constant());
    }
  }

  using LatencyModel::predict_ms;
  double predict_ms(const Arch& arch) const override { return model_->predict_ms(in_whole(arch)); }
  const std::string& space_name() const override { return model_->space_name(); }
  const space::SlotCosts* slot_costs() const override {
    return slot_costs_ ? &*slot_costs_ : nullptr;
  }

 private:
  Arch in_whole(Arch arch) const {
    arch.choices.at(resolution_) = choice_in_whole_.at(arch.choices.at(resolution_));
    return arch;
  }

  std::unique_ptr<const Space> whole_;
  std::unique_ptr<const LatencyModel> model_;
  std::size_t resolution_ = 0;  // the decision
  std::vector<std::uint8_t> choice_in_whole_;
  std::optional<space::SlotCosts> slot_costs_;
};

std::unique_ptr<const LatencyModel> load_latency(const Space& space,
                                                 const std::filesystem::path& path) {
  if (are_ofa_tables(path)) {
    return std::make_unique<latency::BlockTable>(space, latency::load_ofa_tables(space, path));
  }
  return latency::load_latency_model(space, path);
}

bool covers(const Models& models, int size) {
  return (models.latency == nullptr || models.latency->covers(size)) &&
         (models.accuracy == nullptr || models.accuracy->covers(size));
}

[[noreturn]] void fail_uncovered(const Space& space, const ModelFiles& files) {
  const auto of = [](const std::optional<std::filesystem::path>& file) {
    return file ? file->string() : std::string();
  };
  const std::string both = files.latency && files.accuracy ? " and " : "";
  throw Error(of(files.latency) + both + of(files.accuracy) + ": no resolution of space " +
              space.name() + " is covered" + (both.empty() ? "" : " by both"));
}

}  // namespace

bool are_ofa_tables(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error) || path.extension() == ".yaml" ||
         path.extension() == ".yml";
}

Models load_models(const std::string& space_name, const space::TaskOverrides& overrides,
                   const ModelFiles& files) {
  Models models{.space = space::open_space(space_name, overrides)};
  if (files.latency) {
    models.latency = load_latency(*models.space, *files.latency);
  }
  if (files.accuracy) {
    models.accuracy = accuracy::load_predictor(*models.space, *files.accuracy);
  }
  space::TaskOverrides fewer = overrides;
  fewer.resolutions.clear();
  for (const int size : models.space->input_sizes()) {
    (covers(models, size) ? fewer.resolutions : models.left_out).push_back(size);
  }
  if (models.left_out.empty()) {
    return models;
  }
  if (fewer.resolutions.empty()) {
    fail_uncovered(*models.space, files);
  }
  auto part = space::open_space(space_name, fewer);
  if (models.latency) {
    models.latency = std::make_unique<FewerResolutions>(*part, std::move(models.space),
                                                        std::move(models.latency));
  }
  if (models.accuracy) {
    models.accuracy = accuracy::load_predictor(*part, *files.accuracy);
  }
  models.space = std::move(part);
  return models;
}

}  // namespace lathe::search

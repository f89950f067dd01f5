#include "lathe/run/trained.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/json_fields.h"
#include "lathe/nn/device.h"
#include "lathe/nn/supernet.h"
#include "lathe/run/run_folder.h"
#include "lathe/space/families/cell_family.h"
#include "lathe/space/space_file.h"
#include "lathe/space/subspace.h"
#include "lathe/train/records/train_state.h"
#include "lathe/train/trainer.h"

namespace lathe::run {
namespace {

constexpr int kTrainedVersion = 1;

/// What images are normalised with where `json`, a run's train.json, says it: weights that were
/// trained elsewhere are not of this data set's own statistics.
void take_normalization(data::Dataset& dataset, const nlohmann::json& json,
                        const std::string& where) {
  const auto said = json.find("normalization");
  if (said == json.end()) {  // of an older version
    return;
  }
  const data::Normalization normalization{
      .mean = json_member<std::vector<float>>(*said, "mean", where),
      .stddev = json_member<std::vector<float>>(*said, "stddev", where)};
  const auto channels = static_cast<std::size_t>(dataset.train.channels());
  const auto positive = [](float value) { return std::isfinite(value) && value > 0; };
  if (normalization.mean.size() != channels || normalization.stddev.size() != channels ||
      !std::ranges::all_of(normalization.stddev, positive)) {
    throw Error(fmt::format("{}: \"normalization\": expected {} means and deviations > 0", where,
                            channels));
  }
  dataset.normalization = normalization;
}

/// train.json of a folder whose training has left weights. @throws Error if there are none.
nlohmann::json read_trained_json(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kTrainingName;
  if (!std::filesystem::exists(path) || !std::filesystem::exists(train::checkpoint_path(folder))) {
    throw Error(folder.string() + ": has no trained weights: expected " + path.filename().string() +
                " and a checkpoint, as lathe train and lathe run leave them");
  }
  nlohmann::json json = read_json(path);
  if (const auto method = json.find("method");
      method != json.end() && (*method == "darts" || *method == "pc-darts")) {
    throw Error(folder.string() +
                ": is a search of cells, which has no net's weights; derive nets "
                "from it with lathe derive, and train them with lathe train --method plain");
  }
  return json;
}

/// The data set that `json`, a run's train.json, names; in `data_dir` if that isn't empty.
data::Dataset open_named(const nlohmann::json& json, const std::filesystem::path& data_dir,
                         const std::string& where) {
  const auto named = json_member<nlohmann::json>(json, "dataset", where);
  auto source = json_member<std::string>(named, "name", where);
  std::filesystem::path dir = json_member<std::string>(named, "data_dir", where);
  if (!data_dir.empty()) {
    if (data::is_dataset_name(source)) {
      dir = data_dir;
    } else {
      source = data_dir.string();
    }
  }
  data::Dataset dataset = data::open_dataset(
      source, {.data_dir = dir,
               .cache_dir = json_member<std::string>(named, "cache_dir", where),
               .validation_size = json_member<std::int64_t>(named, "validation_size", where),
               .image_size = json_member<int>(named, "image_size", where)});
  take_normalization(dataset, json, where);
  return dataset;
}

/// The space, or the part of it, that `json` names, with nets for the images of `dataset`.
std::shared_ptr<const space::Space> open_named(const nlohmann::json& json,
                                               const data::Dataset& dataset,
                                               const std::filesystem::path& folder,
                                               const std::string& where) {
  const auto name = json_member<std::string>(json, "space", where);
  auto space =
      open_space_for(space::is_space_file(name) ? (folder / name).string() : name, dataset);
  const auto within = json.find("within");
  if (within == json.end()) {
    return space;
  }
  const auto bound = [&](const char* key) {
    return space->from_json(json_member<nlohmann::json>(*within, key, where), where);
  };
  return space::make_subspace(space, bound("lowest"), bound("highest"));
}

}  // namespace

graph::Graph Trained::graph(const space::Arch& of) const {
  if (arch && of != *arch) {
    throw Error("the run trained one net alone, of arch " + space->to_json(*arch).dump() +
                "; leave out --arch, or train a supernet (--method deps)");
  }
  return space->graph(of);
}

std::shared_ptr<const space::Space> trained_nets(const Trained& trained) {
  return trained.arch ? space::make_subspace(trained.space, *trained.arch, *trained.arch)
                      : trained.space;
}

std::shared_ptr<const space::Space> open_space_for(const std::string& name,
                                                   const data::Dataset& dataset) {
  return space::open_space(name, {.in_channels = dataset.train.channels(),
                                  .num_classes = dataset.train.num_classes(),
                                  .input_size = dataset.train.image_size()});
}

void split_heads(Trained& trained) {
  if (space::has_cells(*trained.space) && space::cell_spec(*trained.space).auxiliary) {
    trained.with_heads = trained.space;
    trained.space = space::without_auxiliary_head(*trained.with_heads);
  }
}

const space::Space& trained_space(const Trained& trained) {
  return trained.with_heads ? *trained.with_heads : *trained.space;
}

std::unique_ptr<nn::SharedWeights> make_weights(const Trained& trained,
                                                const nn::WeightOptions& options) {
  if (!trained.arch) {
    return std::make_unique<nn::Supernet>(trained.space, options);
  }
  return std::make_unique<nn::SharedWeights>(trained.space->name(),
                                             trained_space(trained).graph(*trained.arch),
                                             std::vector<int>{}, options);
}

nlohmann::ordered_json to_json(const Trained& trained, const std::string& space,
                               const std::string& dataset, const data::DatasetOptions& data) {
  nlohmann::ordered_json json{{"version", kTrainedVersion},
                              {"method", trained.method},
                              {"space", space},
                              {"arch", nullptr},
                              {"dataset",
                               {{"name", dataset},
                                {"data_dir", data.data_dir.string()},
                                {"cache_dir", data.cache_dir.string()},
                                {"validation_size", trained.dataset.validation.size()},
                                {"image_size", trained.dataset.train.image_size()}}},
                              {"augment", data::to_json(trained.augment)},
                              {"normalization",
                               {{"mean", trained.dataset.normalization.mean},
                                {"stddev", trained.dataset.normalization.stddev}}},
                              {"shards", trained.shards},
                              {"seed", trained.seed}};
  if (trained.arch) {
    json["arch"] = trained.space->to_json(*trained.arch);
  } else if (dynamic_cast<const space::Subspace*>(trained.space.get()) != nullptr) {
    json["within"] = {{"lowest", trained.space->to_json(trained.space->smallest())},
                      {"highest", trained.space->to_json(trained.space->largest())}};
  }
  return json;
}

Trained open_trained(const std::filesystem::path& folder, const std::filesystem::path& data_dir,
                     const std::string& device) {
  // An error of the command line comes first.
  const nn::WeightOptions options{.device = nn::open_device(device)};
  const nlohmann::json json = read_trained_json(folder);
  const std::string where = (folder / kTrainingName).string();
  const auto augment = json_member<nlohmann::json>(json, "augment", where);
  Trained trained{.dataset = open_named(json, data_dir, where),
                  .method = json_member<std::string>(json, "method", where),
                  .seed = json_member<std::uint64_t>(json, "seed", where),
                  .augment = data::augment_options_from_json(augment, where)};
  trained.space = open_named(json, trained.dataset, folder, where);
  split_heads(trained);
  if (const auto arch = json_member<nlohmann::json>(json, "arch", where); !arch.is_null()) {
    trained.arch = trained.space->from_json(arch, where);
  }
  trained.weights = make_weights(trained, options);
  train::load_trained(train::checkpoint_path(folder), *trained.weights);
  return trained;
}

}  // namespace lathe::run

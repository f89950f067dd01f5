// What is trained and what it is of: weights with their space, data and settings. Training begins
// with it, a run's folder keeps it, and all later stages need nothing else.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "lathe/data/augment/augment.h"
#include "lathe/data/dataset.h"
#include "lathe/nn/shared_weights.h"
#include "lathe/space/space.h"

namespace lathe::run {

/// What training needs before it can begin, and what it leaves.
struct Trained {
  data::Dataset dataset;
  std::shared_ptr<const space::Space> space;  ///< a space::Subspace where training is narrowed
  /// What is trained where that has more than what is handed over, an auxiliary head; else null.
  std::shared_ptr<const space::Space> with_heads;
  std::unique_ptr<nn::SharedWeights> weights;
  /// The net that was trained alone; unset for a supernet.
  std::optional<space::Arch> arch;
  std::string method;
  std::uint64_t seed = 0;
  int shards = 1;                ///< of each batch
  data::AugmentOptions augment;  ///< of the training images: batch norm is recalibrated with it

  /// Where nets compute if there are no `weights`, but each has its own.
  c10::Device own_device = c10::kCPU;

  /// Where nets compute.
  c10::Device device() const { return weights ? weights->device() : own_device; }
  /// The net that `weights` hold for an arch of the space. @throws Error if they are those of
  /// another net alone.
  graph::Graph graph(const space::Arch& of) const;
};

/// The nets that there are to choose from, as a space: `space`, or the part of it that is the one
/// net which was trained alone.
std::shared_ptr<const space::Space> trained_nets(const Trained& trained);

/// The space of that name or file with nets for the images of `dataset`.
/// @throws as space::open_space().
std::shared_ptr<const space::Space> open_space_for(const std::string& name,
                                                   const data::Dataset& dataset);

/// Heads that nets have in training alone are split off the space: `with_heads` is what it was.
void split_heads(Trained& trained);

/// Of which nets are trained: `with_heads`, or the space.
const space::Space& trained_space(const Trained& trained);

/// Weights as `options` begin them: a supernet's, or those of the one net `arch`.
std::unique_ptr<nn::SharedWeights> make_weights(const Trained& trained,
                                                const nn::WeightOptions& options);

/// What train.json says of it, which open_trained() reads: all but the weights, and how long they
/// were trained. `space`: a name, or the folder's own file. `dataset` and `data` as they were asked
/// for.
nlohmann::ordered_json to_json(const Trained& trained, const std::string& space,
                               const std::string& dataset, const data::DatasetOptions& data);

/// What `folder`, of `lathe train` or `lathe run`, has trained. `data_dir` replaces the folder that
/// the data came from, if it isn't empty; the weights are on `device`.
/// @throws Error if the folder has no finished training (with the command that ends it), or
/// something in it doesn't fit.
Trained open_trained(const std::filesystem::path& folder,
                     const std::filesystem::path& data_dir = {}, const std::string& device = "cpu");

}  // namespace lathe::run

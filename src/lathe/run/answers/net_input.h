// What a net expects of its input, for those who use it without Lathe.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lathe/core/tensor_map.h"
#include "lathe/data/dataset.h"
#include "lathe/graph/fold.h"

namespace lathe::run {

/// How an image becomes the input of a net, and what its outputs stand for.
struct NetInput {
  int size = 0;  ///< height and width
  /// Of pixels in [0, 1], a value a channel. One channel is gray, three are red, green and blue.
  data::Normalization normalization;
  /// The square in the middle that is resized to `size`, as a share of the shorter side.
  double center_crop_share = 1;
  std::vector<std::string> classes;  ///< by label
};

/// Of a net that was trained on `dataset`.
NetInput net_input(const data::Dataset& dataset, int size);

/// The same net on pixels in [0, 1] (graph::take_pixels).
graph::Net on_pixels(const graph::Net& net, const NetInput& input);

/// `input_range` ([0, 1]), `input_layout` (NCHW), `input_colors` (RGB or gray), `input_size`,
/// `resize`, `normalization` (mean, stddev) and `classes`.
nlohmann::ordered_json to_json(const NetInput& input);
/// The same as text; bytes of classes' names that are not UTF-8 become U+FFFD.
std::string json_text(const NetInput& input);

/// Who normalises.
enum class Normalizes {
  kNet,     ///< the net takes pixels: on_pixels()
  kCaller,  ///< the weights are those of a net that takes normalised input
};

/// The members of to_json() and `normalized_by` (net or caller), each value a JSON text: what a
/// model file says of itself.
Metadata metadata(const NetInput& input, Normalizes normalizes);

/// What metadata() of a file says. @throws Error `<where>: "input_size": expected ..., got ...`.
NetInput net_input_from(const Metadata& metadata, const std::string& where);

}  // namespace lathe::run

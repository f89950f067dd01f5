// Labelled images, split into training, validation and test.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "lathe/data/image_set.h"

namespace lathe::data {

struct Dataset {
  std::string name;
  ImageSet train;       ///< without the validation images
  ImageSet validation;  ///< held out of the training images, in their order
  ImageSet test;
  Normalization normalization;  ///< of the pixels of `train`
};

struct DatasetOptions {
  std::filesystem::path data_dir;  ///< where the files are; empty: where the system's package is
  std::int64_t validation_size = 5000;  ///< images held out, in total
  std::uint64_t seed = 0;               ///< draws the images held out
};

/// A data set that can be loaded: where it is by default, and how its files are read.
struct DatasetSource {
  std::string name;
  std::filesystem::path default_dir;
  std::string package;  ///< the system's package that fills `default_dir`
  /// Reads the files of a folder. @throws Error naming the file at fault.
  std::function<void(const std::filesystem::path& folder, ImageArray& train, ImageArray& test)>
      read;
};

/// The data sets known by name: the one place to add another.
std::span<const DatasetSource> dataset_sources();

/// Loads a data set by name and holds out its validation split.
/// @throws Error if the name is unknown (with the nearest names), and as the other overload.
Dataset load_dataset(const std::string& name, const DatasetOptions& options = {});

/// Loads `source`. The split depends on the labels, the size and the seed only: the same for every
/// caller, whatever else is drawn.
/// @throws Error if the folder is missing (with the package to install), a file is bad, or fewer
/// training images than validation_size + 1 are there; std::invalid_argument if validation_size is
/// not > 0.
Dataset load_dataset(const DatasetSource& source, const DatasetOptions& options);

}  // namespace lathe::data

// Labelled images, split into training, validation and test; opened by name or from a folder whose
// format is recognised.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "lathe/data/image_set.h"

namespace lathe::data {

struct Dataset {
  std::string name;
  ImageSet train;       ///< without the validation images
  ImageSet validation;  ///< held out of the training images, in their order
  ImageSet test;
  Normalization normalization;  ///< of the pixels of `train`; of photographs, of some of them
  std::int64_t enlarged = 0;    ///< photographs smaller than they are read at
};

struct DatasetOptions {
  std::filesystem::path data_dir;  ///< a named data set's files; empty: in their usual place
  /// Where data sets lie that no system package has, a folder each; empty: nowhere.
  std::filesystem::path cache_dir;
  /// Images held out, in total. Nothing: 5,000 or a tenth, whichever is less.
  std::optional<std::int64_t> validation_size;
  std::uint64_t seed = 0;  ///< draws the images held out
  /// Height and width that images are read at. 0: of small images, their own; of photographs, the
  /// median of their shorter sides, rounded down to a multiple of 32, from 32 to 224.
  int image_size = 0;
  bool strict = false;  ///< an unreadable or too small photograph is an error
};

/// What a folder holds; empty sets are held out of the training images.
struct Splits {
  ImageSet train, validation, test;
};

/// A data set known by name: where it is by default, and how its files are read.
struct KnownDataset {
  std::string name;
  std::filesystem::path default_dir;  ///< relative: in DatasetOptions::cache_dir
  std::string how_to_get;             ///< `install the package ...`
  /// @throws Error naming the file at fault.
  std::function<Splits(const std::filesystem::path& folder)> read;
};

/// The data sets known by name: the one place to add another.
std::span<const KnownDataset> known_datasets();

/// Opens a data set by name, or the folder of that path: idx files, CIFAR's binary files, or a
/// folder of images for each class (ImageNet's layout, with or without train, val and test).
/// Images that are held out are stratified. Where there is no test split, it is held out too, as
/// many images as are for validation by default; a `val` without `test` is the test split.
/// docs/data.md describes the formats.
/// @throws Error if there is no such name (with the nearest) or folder, the format isn't
/// recognised, a file is bad, or there are too few images; std::invalid_argument if an option is
/// out of range.
Dataset open_dataset(const std::string& name_or_folder, const DatasetOptions& options = {});

/// Opens `known`. The split depends on the labels, the size and the seed only: the same for every
/// caller, whatever else is drawn.
Dataset open_dataset(const KnownDataset& known, const DatasetOptions& options);

/// Whether `name` is a data set's.
bool is_dataset_name(const std::string& name);

}  // namespace lathe::data

#include "options/data_options.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "options/amount.h"
#include "options/name_options.h"
#include "options/range.h"

namespace lathe::app {
namespace {

/// Whether it is or looks like a folder, rather than the name of a data set.
bool is_dataset_folder(const std::string& name) {
  std::error_code ignored;
  return name.find('/') != std::string::npos || std::filesystem::is_directory(name, ignored);
}

std::vector<std::string> dataset_names() {
  std::vector<std::string> names;
  for (const data::KnownDataset& known : data::known_datasets()) {
    names.push_back(known.name);
  }
  return names;
}

}  // namespace

std::filesystem::path default_cache_dir() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') {
    return std::filesystem::path(cache) / "lathe";
  }
  const char* home = std::getenv("HOME");
  return home == nullptr ? std::filesystem::path() : std::filesystem::path(home) / ".cache/lathe";
}

void add_dataset_options(CLI::App& command, std::string& dataset, data::DatasetOptions& options) {
  options.cache_dir = default_cache_dir();
  command
      .add_option("--dataset", dataset,
                  "what to train on: fashion-mnist, cifar-10, cifar-100, or a folder of idx files, "
                  "CIFAR's binary files, or images in a folder for each class")
      ->check(one_of_or("data set", dataset_names(), is_dataset_folder))
      ->capture_default_str();
  command.add_option("--data-dir", options.data_dir,
                     "folder of a data set known by name, if not its usual place");
  command
      .add_option("--validation-size", options.validation_size,
                  "training images held out to compare nets by; 5000, or a tenth if that is less")
      ->check(between(1, 100000000));
  command
      .add_option("--image-size", options.image_size,
                  "height and width that images are resized to; 0: of small images their own, of "
                  "photographs what most of them have, up to 224")
      ->check(between(0, 1024))
      ->capture_default_str();
  command.add_flag("--strict", options.strict,
                   "an unreadable or too small photograph is an error, not skipped or enlarged");
}

void add_augment_options(CLI::App& command, data::AugmentOptions& o) {
  command.add_option("--crop-padding", o.crop_padding, "pixels, for random crops of small images")
      ->check(between(0, 64))
      ->capture_default_str();
  command
      .add_option("--min-crop-area", o.min_crop_area,
                  "least share of a photograph's area that a random crop has")
      ->check(between(0.01, 1.0))
      ->capture_default_str();
  command
      .add_flag("--flip,!--no-flip", o.horizontal_flip,
                "turn every second image left to right; not for digits and letters")
      ->default_str("true");
  command
      .add_option("--color-jitter", o.color_jitter,
                  "brightness, contrast and saturation change by up to this share")
      ->check(between(0.0, 1.0))
      ->capture_default_str();
  command.add_flag("--trivial-augment", o.trivial_augment,
                   "one random change of an image, of random strength (TrivialAugment, wide)");
  command.add_option("--cutout", o.cutout, "side of the hole in pixels, 0: none")
      ->check(between(0, 1024))
      ->capture_default_str();
  command
      .add_option("--random-erasing", o.random_erasing,
                  "how probably an image gets a hole of random size and shape")
      ->check(between(0.0, 1.0))
      ->capture_default_str();
  command
      .add_option("--mixup", o.mixup,
                  "alpha of the Beta distribution that mixes images two by two, 0: not")
      ->check(between(0.0, 100.0))
      ->capture_default_str();
  command
      .add_option("--cutmix", o.cutmix,
                  "the same, with a box of the other image; with --mixup, one or the other a batch")
      ->check(between(0.0, 100.0))
      ->capture_default_str();
}

}  // namespace lathe::app

// The options that say what is trained on, and how images are changed for it.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

#include "lathe/data/augment/augment.h"
#include "lathe/data/dataset.h"

namespace lathe::app {

/// Where data sets are looked for that no package has: `$XDG_CACHE_HOME/lathe`, or
/// `~/.cache/lathe`.
std::filesystem::path default_cache_dir();

/// Adds --dataset, --data-dir, --validation-size, --image-size and --strict.
void add_dataset_options(CLI::App& command, std::string& dataset, data::DatasetOptions& options);

/// Adds --crop-padding, --min-crop-area, --flip, --color-jitter, --trivial-augment, --cutout,
/// --random-erasing, --mixup and --cutmix.
void add_augment_options(CLI::App& command, data::AugmentOptions& options);

}  // namespace lathe::app

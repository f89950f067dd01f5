// The options that name a space and fit it to a task.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "lathe/space/space_file.h"
#include "options/name_options.h"
#include "options/range.h"

namespace lathe::app {

struct SpaceOptions {
  std::string name;
  int input_size = 0;            ///< 0: as the space has it
  std::vector<int> resolutions;  ///< empty: all of the space
  int in_channels = 0;           ///< 0: as the space has it
  int classes = 0;               ///< likewise
  // Of cell nets; 0 and empty: as the space has it.
  std::string stem;
  int init_channels = 0;
  int cells = 0;
  bool auxiliary = false;

  /// Whether the input size of archs in files gives way to --input-size.
  bool own_size() const { return input_size > 0; }

  space::TaskOverrides overrides() const {
    space::TaskOverrides result{.resolutions = resolutions};
    if (input_size > 0) {
      result.input_size = input_size;
    }
    if (in_channels > 0) {
      result.in_channels = in_channels;
    }
    if (classes > 0) {
      result.num_classes = classes;
    }
    if (!stem.empty()) {
      result.stem = stem == "imagenet" ? space::CellStem::kImagenet : space::CellStem::kCifar;
    }
    if (init_channels > 0) {
      result.init_channels = init_channels;
    }
    if (cells > 0) {
      result.cells = cells;
    }
    result.auxiliary = auxiliary;
    return result;
  }

  /// @throws Error if the space or a resolution is unknown, the space's file is wrong, or the space
  /// can't have this task.
  std::unique_ptr<space::Space> make() const { return space::open_space(name, overrides()); }
};

/// Adds --space, --input-size, --resolutions, --in-channels, --classes, and what shapes a cell net.
inline void add_space_options(CLI::App& command, SpaceOptions& o) {
  add_space_option(command, o.name)->required();
  CLI::Option* input_size = command
                                .add_option("--input-size", o.input_size,
                                            "height and width of the input, whatever the arch says")
                                ->check(between(1, 4096));
  command
      .add_option("--resolutions", o.resolutions,
                  "those of the space that archs may have, separated by commas")
      ->delimiter(',')
      ->excludes(input_size);
  command.add_option("--in-channels", o.in_channels, "of the input; 1: grey images")
      ->check(between(1, 1024));
  command.add_option("--classes", o.classes, "outputs of the classifier")
      ->check(between(1, 1000000));
  command.add_option("--stem", o.stem, "cifar or imagenet: a cell net of that published size")
      ->check(CLI::IsMember({"cifar", "imagenet"}));
  command.add_option("--init-channels", o.init_channels, "of a cell net's first nodes")
      ->check(between(2, 9999));
  command.add_option("--cells", o.cells, "of a cell net")->check(between(1, 999));
  command.add_flag("--auxiliary", o.auxiliary, "a cell net with the head that it has in training");
}

}  // namespace lathe::app

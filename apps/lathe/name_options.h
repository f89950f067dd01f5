// Options whose value is one of the names we know: a mistake is a usage error with the nearest
// names.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/search/strategy_name.h"
#include "lathe/space/builtin_spaces.h"
#include "lathe/space/space_file.h"

namespace lathe::app {

/// A validator that accepts `known` only.
inline std::function<std::string(const std::string&)> one_of(std::string what,
                                                             std::vector<std::string> known) {
  return [what = std::move(what), known = std::move(known)](const std::string& name) {
    if (std::find(known.begin(), known.end(), name) != known.end()) {
      return std::string();
    }
    return "unknown " + what + " \"" + name + "\": " + nearest_names(name, known);
  };
}

/// --space, and --width-scale, which becomes a part of its value; that is for space::open_space().
inline CLI::Option* add_space_option(CLI::App& command, std::string& space) {
  CLI::Option* option =
      command
          .add_option("--space", space,
                      "search space: a name that `lathe spaces` lists, or a .json file")
          ->check([](const std::string& name) {
            return space::is_space_file(name) || space::is_space_name(name)
                       ? std::string()
                       : one_of("space", space::builtin_space_names())(name);
          });
  command
      .add_option_function<double>(
          "--width-scale",
          [&space](double scale) {
            if (space.empty()) {  // CLI11 looks at needs() only after this
              throw CLI::RequiresError("--width-scale", "--space");
            }
            space = space::scaled_widths_name(space, scale);
          },
          "of a built-in width chain: 0.25 has a quarter of its widths")
      ->needs(option);
  return option;
}

inline CLI::Option* add_effort_option(CLI::App& command, search::Effort& effort) {
  return command
      .add_option_function<std::string>(
          "--effort", [&effort](const std::string& name) { effort = *search::effort_named(name); },
          "how long all targets are searched: fast, normal or thorough")
      ->check(one_of("effort", search::effort_names()))
      ->default_str("normal");
}

}  // namespace lathe::app

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

/// What a validator that knows names is called: choices() reads them there, since CLI11 keeps no
/// more of a validator than a function and its name.
inline std::string name_of_choices(const std::vector<std::string>& known) {
  return "one of " + CLI::detail::join(known, ",");
}

/// A validator that accepts `known` only.
inline CLI::Validator one_of(std::string what, std::vector<std::string> known) {
  std::string name = name_of_choices(known);
  return {[what = std::move(what), known = std::move(known)](std::string& text) {
            if (std::find(known.begin(), known.end(), text) != known.end()) {
              return std::string();
            }
            return "unknown " + what + " \"" + text + "\": " + nearest_names(text, known);
          },
          "", std::move(name)};
}

/// A validator that accepts what `also` does, and else `known`.
inline CLI::Validator one_of_or(std::string what, std::vector<std::string> known,
                                std::function<bool(const std::string&)> also) {
  std::string name = name_of_choices(known);
  return {[names = one_of(std::move(what), std::move(known)), also = std::move(also)](
              std::string& text) { return also(text) ? std::string() : names(text); },
          "", std::move(name)};
}

/// The names that `option` takes as far as its validators know them, in their order; empty if it
/// takes others.
std::vector<std::string> choices(CLI::Option& option);

/// --space, and --width-scale, which becomes a part of its value; that is for space::open_space().
inline CLI::Option* add_space_option(CLI::App& command, std::string& space) {
  CLI::Option* option =
      command
          .add_option("--space", space,
                      "search space: a name that `lathe spaces` lists, or a .json file")
          ->check(one_of_or("space", space::builtin_space_names(), [](const std::string& name) {
            return space::is_space_file(name) || space::is_space_name(name);
          }));
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

// Search spaces that users define: the data of a family as a JSON file. docs/spaces.md describes
// the format.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "lathe/space/builtin_spaces.h"

namespace lathe::space {

/// The content of a space file, every field written out: space_spec_from_json() gives `spec` back.
nlohmann::ordered_json to_json(const SpaceSpec& spec);

/// Every value is bounded, so that no file makes a space whose sizes overflow or whose blocks can't
/// be listed. Fields that are left out are as in the spec's struct, except that there is no feature
/// conv. `where` names the file in errors.
/// @throws Error `<where>: stages[2].kernels[0]: expected ..., got ...`, and naming the nearest
/// known fields if one is unknown.
SpaceSpec space_spec_from_json(const nlohmann::json& content, const std::string& where);

/// @throws Error as read_json() and space_spec_from_json(), and if the name is a built-in space's.
SpaceSpec load_space_spec(const std::filesystem::path& path);

/// The name that a space of a file goes by: `<name>@<8 hexadecimal digits>`. The digits stand for
/// all that the file says but the name and the task, so that what was measured or trained for a
/// space is refused once its file has changed.
std::string fingerprinted_name(const SpaceSpec& spec);

/// Whether `name` is a file of a space rather than a built-in one: it ends in `.json`.
bool is_space_file(const std::string& name);

/// The one way from what a user names to a space: a built-in name, or a file whose space is called
/// fingerprinted_name(). @throws Error as make_space() or load_space_spec(), if what is named is
/// the fingerprinted name itself, or if the space can't have the size or task of `overrides`.
std::unique_ptr<Space> open_space(const std::string& name_or_file,
                                  const TaskOverrides& overrides = {});

}  // namespace lathe::space

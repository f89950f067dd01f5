// A trained net in one safetensors file that says what it is.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "lathe/graph/fold.h"
#include "lathe/space/space.h"

namespace lathe::run {

/// Writes the weights, with the space's name, the arch's JSON and the task (input channels,
/// classes, input size) as metadata. @throws Error as save_safetensors().
void save_net(const std::filesystem::path& path, const graph::Net& net, const space::Space& space,
              const space::Arch& arch);

/// A net out of such a file.
struct NetFile {
  std::shared_ptr<const space::Space> space;
  space::Arch arch;
  graph::Net net;
};

/// `space_file` opens a space that is not built in; empty where it is. `arch_json` replaces the
/// arch in the file's metadata, for files that have none; null: the file's own.
/// @throws Error naming the file if its metadata or tensors are not those of a net, or the space is
/// unknown.
NetFile load_net(const std::filesystem::path& path, const std::string& space_file = {},
                 const nlohmann::json& arch_json = nullptr);

}  // namespace lathe::run

// Archs from the files that users name.
#pragma once

#include <filesystem>
#include <vector>

#include "lathe/space/space.h"

namespace lathe::app {

/// The arch of a file: JSON, or for cells the text `Genotype(...)`. With `own_size` the resolution
/// in the file gives way to the space's.
space::Arch read_arch(const std::filesystem::path& path, const space::Space& space, bool own_size);

/// One arch per line, in either form. @throws Error naming file and line.
std::vector<space::Arch> read_archs(const std::filesystem::path& path, const space::Space& space,
                                    bool own_size);

}  // namespace lathe::app

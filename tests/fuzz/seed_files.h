// What the programs that write the fuzzers' first corpora share.
#pragma once

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <initializer_list>
#include <string>

#include "lathe/core/file.h"

namespace lathe::testing {

/// A file that begins with a byte for each of `choices`, by which its target chooses what to do
/// with the rest.
inline void write_chosen(const std::filesystem::path& file,
                         std::initializer_list<std::size_t> choices, const std::string& rest) {
  std::string text;
  for (const std::size_t choice : choices) {
    text += static_cast<char>(choice);
  }
  write_file_atomic(file, text + rest);
}

/// The whole of such a program: `write` gets the folder that the command line names.
template <typename Write>
int write_seeds(int argc, char** argv, const Write& write) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  write(std::filesystem::path(argv[1]));
  return 0;
}

}  // namespace lathe::testing

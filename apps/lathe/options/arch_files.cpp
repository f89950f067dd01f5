#include "options/arch_files.h"

#include <sstream>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/space/families/genotype.h"

namespace lathe::app {
namespace {

/// The text that papers publish for cells.
bool is_genotype(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string::npos && text[first] != '{' &&
         text.find("Genotype", first) != std::string::npos;
}

/// @throws Error with the line's beginning, which says more than a position in it.
nlohmann::json json_in_line(const std::string& line, const std::string& where) {
  try {
    return parse_json(line, where);
  } catch (const Error&) {
    throw Error(where + ": expected one arch as JSON, got " + line.substr(0, 40));
  }
}

space::Arch parse(nlohmann::json json, const space::Space& space, bool own_size,
                  const std::string& where) {
  if (own_size && json.is_object()) {
    json.erase("r");
  }
  return space.from_json(json, where);
}

}  // namespace

space::Arch read_arch(const std::filesystem::path& path, const space::Space& space, bool own_size) {
  const std::string text = read_file(path);
  return parse(is_genotype(text) ? space::genotype_from_text(text, path.string()) : read_json(path),
               space, own_size, path.string());
}

std::vector<space::Arch> read_archs(const std::filesystem::path& path, const space::Space& space,
                                    bool own_size) {
  std::istringstream lines(read_file(path));
  std::vector<space::Arch> archs;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) {
      continue;
    }
    const std::string where = path.string() + ":" + std::to_string(number);
    archs.push_back(parse(
        is_genotype(line) ? space::genotype_from_text(line, where) : json_in_line(line, where),
        space, own_size, where));
  }
  return archs;
}

}  // namespace lathe::app

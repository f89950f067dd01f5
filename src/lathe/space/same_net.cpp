#include "lathe/space/same_net.h"

#include <map>

namespace lathe::space {

Arch representative(const Space& space, const Arch& arch) {
  return space.equivalents(arch).front();
}

std::vector<std::size_t> number_nets(const Space& space, std::span<const Arch> archs) {
  std::map<Arch, std::size_t> numbers;
  std::vector<std::size_t> result;
  for (const Arch& arch : archs) {
    result.push_back(numbers.emplace(representative(space, arch), numbers.size()).first->second);
  }
  return result;
}

}  // namespace lathe::space

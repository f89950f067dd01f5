#include "lathe/measure/runners/temporary_folder.h"

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

#include "lathe/core/error.h"

namespace lathe::measure {

namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "lathe_runner_XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    throw Error(name +
                ": cannot make a temporary folder: " + std::generic_category().message(errno));
  }
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace lathe::measure

// Where model files lie while they are timed.
#pragma once

#include <filesystem>

namespace lathe::measure {

/// Gone with the object.
class TemporaryFolder {
 public:
  /// @throws Error naming the folder if it can't be made.
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace lathe::measure

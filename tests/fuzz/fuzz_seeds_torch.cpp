// As lathe_fuzz_seeds, for the loaders above LibTorch. usage: lathe_fuzz_seeds_torch FOLDER
#include <filesystem>
#include <string>

#include "fuzz/seed_files.h"
#include "fuzz/small_net.h"
#include "fuzz/small_training.h"
#include "lathe/core/file.h"
#include "lathe/core/tensor_map.h"

namespace lathe::testing {
namespace {

using std::filesystem::path;

/// As with_metadata() reads them, those called `without` left as they are.
std::string lines_of(const path& file, const std::string& without = {}) {
  std::string lines;
  for (const auto& [key, value] : load_safetensors(file).metadata) {
    if (key != without) {
      lines += key + "=" + value + "\n";
    }
  }
  return lines;
}

void write_checkpoints(const path& folder) {
  const TemporaryFolder scratch;
  const path file = scratch / "checkpoint";
  for (std::size_t method = 0; method < kSmallTrainings.size(); ++method) {
    SmallTraining training(kSmallTrainings[method]);
    training.pretend();
    training.state().save(file, training.settings(), SmallTraining::kDone);
    const std::string name = kSmallTrainings[method];
    write_chosen(folder / name, {method, 0}, read_file(file));
    write_chosen(folder / (name + "_metadata"), {method, 1}, lines_of(file, "settings"));
  }
}

void write_nets(const path& folder) {
  const TemporaryFolder scratch;
  const SmallNet net;
  const std::string bytes = net.bytes();
  write_file_atomic(scratch / "net", bytes);
  write_chosen(folder / "net", {0}, bytes);
  write_chosen(folder / "metadata", {1}, lines_of(scratch / "net"));
}

}  // namespace
}  // namespace lathe::testing

int main(int argc, char** argv) {
  using namespace lathe::testing;
  return write_seeds(argc, argv, [](const std::filesystem::path& folder) {
    write_checkpoints(folder / "checkpoint");
    write_nets(folder / "net_file");
  });
}

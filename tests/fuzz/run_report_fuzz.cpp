// What a run leaves in its folder, read for a report: one of its files is hostile, the others are
// as they should be. Measurements and models are left out: they have fuzzers of their own, and
// models would be fitted at every call.
#include "lathe/report/run_report.h"

#include <string_view>

#include "core/temporary_folder.h"
#include "fuzz/hostile_file.h"
#include "fuzz/run_report_files.h"

namespace {

const std::filesystem::path& run_folder() {
  static const lathe::testing::TemporaryFolder kFolder;
  static const bool kMade = [] {
    const lathe::testing::RunInFolder run(kFolder.path());
    std::filesystem::remove(kFolder / "latency.json");
    std::filesystem::remove(kFolder / "latency_samples.jsonl");
    return true;
  }();
  static_cast<void>(kMade);
  return kFolder.path();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using lathe::testing::kHostileRunFiles;
  if (size == 0 || bytes[0] >= kHostileRunFiles.size()) {
    return -1;
  }
  const std::filesystem::path hostile = run_folder() / kHostileRunFiles[bytes[0]];
  std::filesystem::path kept = hostile;
  kept += ".kept";
  if (std::filesystem::exists(hostile)) {
    std::filesystem::rename(hostile, kept);
  }
  const lathe::testing::HostileFile file(bytes + 1, size - 1);
  std::filesystem::create_symlink(file.path(), hostile);
  lathe::testing::expect_loaded_or_refused([&] {
    lathe::report::report_page(
        nlohmann::ordered_json::array({lathe::report::run_record(run_folder())}));
  });
  std::filesystem::remove(hostile);
  if (std::filesystem::exists(kept)) {
    std::filesystem::rename(kept, hostile);
  }
  return 0;
}

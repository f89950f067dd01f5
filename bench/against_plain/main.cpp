// The table of scripts/against_plain.sh: a run's answers beside plain training with the same time,
// as far as that was done.
//   lathe_against_plain_bench OUT_FOLDER SEED...
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/statistics.h"
#include "lathe/run/answers/answers.h"

namespace lathe::bench {
namespace {

/// Test accuracies of one target, one of each seed; of plain training only where it was done.
struct Row {
  std::vector<double> measured_ms, answer, alone, whole;
};

/// Of the net trained in `folder`, which is to be of `arch`.
double test_top1(const std::filesystem::path& folder, const nlohmann::json& arch) {
  if (read_json(folder / "arch.json") != arch) {
    throw Error((folder / "arch.json").string() + ": expected the answer's net, " + arch.dump() +
                "; remove the folder, and it is trained again");
  }
  const std::filesystem::path file = folder / "result.json";
  return json_member<double>(read_json(file), "test_top1", file.string());
}

void read_seed(const std::filesystem::path& out, const std::string& seed,
               std::map<std::size_t, Row>& rows) {
  const std::filesystem::path file = out / ("run-" + seed) / "result.json";
  const auto targets =
      json_member<std::vector<nlohmann::json>>(read_json(file), "targets", file.string());
  const std::filesystem::path alone = out / ("alone-" + seed), whole = out / ("whole-" + seed);
  std::size_t index = 0;
  nlohmann::json first;  // arch of the fastest target's answer
  for (const nlohmann::json& target : targets) {
    const std::string where = file.string() + ": targets";
    if (!json_member<bool>(target, "feasible", where)) {
      continue;
    }
    Row& row = rows[index++];
    const auto target_ms = json_member<double>(target, "target_ms", where);
    row.measured_ms.push_back(json_member<double>(target, "measured_ms", where));
    const auto arch = json_member<nlohmann::json>(target, "arch", where);
    if (first.is_null()) first = arch;
    row.answer.push_back(json_member<double>(target, "test_accuracy", where));
    if (std::filesystem::exists(alone)) {
      row.alone.push_back(test_top1(alone / run::target_name(target_ms), arch));
    }
    if (std::filesystem::exists(whole)) {
      row.whole.push_back(test_top1(whole, first));
    }
  }
}

std::string percent(const std::vector<double>& top1) {
  return top1.empty() ? "" : fmt::format("{:.2f}", 100 * mean(top1));
}

void print(const std::map<std::size_t, Row>& rows) {
  fmt::print(
      "| target | measured ms | answer | (a) its net alone, T/K | (b) the first's net alone, "
      "T |\n|---|---|---|---|---|\n");
  for (const auto& [index, row] : rows) {
    fmt::print("| {} | {:.3f} | {} | {} | {} |\n", index + 1, mean(row.measured_ms),
               percent(row.answer), percent(row.alone), percent(row.whole));
  }
}

}  // namespace
}  // namespace lathe::bench

int main(int argc, char** argv) {
  try {
    if (argc < 3) {
      std::fputs("usage: lathe_against_plain_bench OUT_FOLDER SEED...\n", stderr);
      return 2;
    }
    std::map<std::size_t, lathe::bench::Row> rows;
    for (int i = 2; i < argc; ++i) {
      lathe::bench::read_seed(argv[1], argv[i], rows);
    }
    lathe::bench::print(rows);
  } catch (const std::exception& error) {
    fmt::print(stderr, "against_plain: {}\n", error.what());
    return 1;
  }
  return 0;
}

// The example of docs/spaces.md, as users have it.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "apps/tiny_run.h"

namespace lathe {
namespace {

using lathe::testing::expect_failure;
using lathe::testing::lines_of;
using lathe::testing::Outcome;
using lathe::testing::quoted;
using lathe::testing::run_lathe;
using lathe::testing::TemporaryFolder;
using lathe::testing::TinyRun;

const std::string kExample = std::string(LATHE_EXAMPLES) + "/spaces/edge_28.json";

TEST(SpaceFileProgramTest, DescribesTheSpaceOfAFile) {
  const Outcome outcome = run_lathe("describe --json --space " + quoted(kExample));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  ASSERT_EQ(lines_of(outcome.out).size(), 2U);
  const auto largest = nlohmann::json::parse(lines_of(outcome.out)[1]);
  EXPECT_EQ(largest.at("arch").at("space").get<std::string>().rfind("edge_28@", 0), 0U);
  EXPECT_EQ(largest.at("arch").at("d"), (nlohmann::json{2, 3}));
  EXPECT_EQ(run_lathe("describe --space " + quoted(kExample)).exit_code, 0);
}

TEST(SpaceFileProgramTest, ListsTheSpaceOfAFile) {
  const Outcome outcome = run_lathe("spaces --space " + quoted(kExample));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  ASSERT_EQ(lines_of(outcome.out).size(), 2U);
  EXPECT_EQ(lines_of(outcome.out)[1].rfind("edge_28@", 0), 0U) << outcome.out;
}

// What is printed of a built-in space is a file to start from.
TEST(SpaceFileProgramTest, PrintsTheFileOfASpace) {
  const TemporaryFolder temporary;
  const std::string file = (temporary / "space.json").string();
  for (const std::string name : {"mbv3_28", "mobilenet_v1_widths", "ofa_resnet50d"}) {
    const Outcome printed = run_lathe("spaces --json --space " + name);
    ASSERT_EQ(printed.exit_code, 0) << printed.err;
    write_file_atomic(file, printed.out);
    const auto space = space::open_space(file);
    EXPECT_EQ(space->name().rfind("my_" + name + "@", 0), 0U);
    EXPECT_EQ(space->blocks(space->largest()),
              space::make_space(name)->blocks(space::make_space(name)->largest()));
    EXPECT_EQ(run_lathe("spaces --json --space " + quoted(file)).out, printed.out);
  }
}

TEST(SpaceFileProgramTest, NamesWhatIsWrongWithAFile) {
  const TemporaryFolder temporary;
  const std::string file = (temporary / "space.json").string();
  expect_failure(run_lathe("describe --space " + quoted(file)), 1,
                 file + ": cannot read: No such file or directory");
  nlohmann::json content = read_json(kExample);
  content["stages"][2]["kernels"] = {4};
  write_json(file, content);
  expect_failure(run_lathe("spaces --space " + quoted(file)), 1,
                 file + ": stages[2].kernels[0]: expected an odd integer in [1, 15], got 4");
}

TEST(SpaceFileProgramTest, RunsFromImagesToNets) {
  const TinyRun tiny;
  tiny.write_latency_table(tiny.out(), kExample);
  const Outcome outcome = tiny.run("--json --space " + quoted(kExample));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto target = nlohmann::json::parse(outcome.out).at("targets").at(0);
  EXPECT_TRUE(target.at("feasible"));
  const std::filesystem::path net = tiny.out(target.at("dir").get<std::string>());
  for (const char* name : {"arch.json", "weights.safetensors", "model.onnx", "model.pt"}) {
    EXPECT_TRUE(std::filesystem::exists(net / name)) << name;
  }
  const Outcome described = run_lathe(
      "describe --json --input-size " + std::to_string(testing::kSyntheticSide) + " --space " +
      quoted(tiny.out("space.json").string()) + " --arch " + quoted((net / "arch.json").string()));
  ASSERT_EQ(described.exit_code, 0) << described.err;
  EXPECT_EQ(nlohmann::json::parse(described.out).at("macs"), target.at("macs"));
  EXPECT_EQ(nlohmann::json::parse(described.out).at("params"), target.at("params"));
}

}  // namespace
}  // namespace lathe

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "apps/program.h"
#include "lathe/space/builtin_spaces.h"
#include "space/published_cells.h"

namespace lathe {
namespace {

using lathe::testing::expect_failure;
using lathe::testing::lines_of;
using lathe::testing::Outcome;
using lathe::testing::quoted;
using lathe::testing::run_lathe;
using lathe::testing::TemporaryFolder;

TEST(ProgramTest, ExplainsItself) {
  const Outcome help = run_lathe("--help");
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_EQ(help.err, "");
  for (const char* command : {"run", "spaces", "describe"}) {
    EXPECT_NE(help.out.find(command), std::string::npos);
    const Outcome of_command = run_lathe(std::string(command) + " --help");
    EXPECT_EQ(of_command.exit_code, 0);
    EXPECT_NE(of_command.out.find("--"), std::string::npos);
  }
}

TEST(ProgramTest, TellsItsVersion) {
  const Outcome outcome = run_lathe("--version");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '.'), 2) << outcome.out;
}

TEST(ProgramTest, WantsACommand) {
  expect_failure(run_lathe(""), 2, "A subcommand is required (see lathe --help)");
  expect_failure(run_lathe("spacs"), 2,
                 "unknown command \"spacs\": did you mean \"spaces\"? (see lathe --help)");
  EXPECT_EQ(run_lathe("spaces --frobnicate").exit_code, 2);
}

TEST(SpacesTest, AreListedAsTextAndAsJson) {
  std::set<std::string> names;
  const Outcome json = run_lathe("spaces --json");
  EXPECT_EQ(json.exit_code, 0);
  for (const std::string& line : lines_of(json.out)) {
    const auto space = nlohmann::json::parse(line);
    names.insert(space.at("space"));
    EXPECT_GT(space.at("log10_nets"), 0);
    EXPECT_LT(space.at("smallest").at("macs"), space.at("largest").at("macs"));
    EXPECT_LT(space.at("smallest").at("params"), space.at("largest").at("params"));
  }
  const auto known = space::builtin_space_names();
  EXPECT_EQ(names, std::set<std::string>(known.begin(), known.end()));

  const Outcome text = run_lathe("spaces");
  EXPECT_EQ(text.exit_code, 0);
  EXPECT_EQ(lines_of(text.out).size(), known.size() + 1);
}

class DescribeTest : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) {
    write_file_atomic(temporary_ / name, text);
    return (temporary_ / name).string();
  }
  std::string arch_json(const space::Arch& arch) const { return space_->to_json(arch).dump(); }

  TemporaryFolder temporary_;
  std::unique_ptr<space::Space> space_ = space::make_space("mbv3_28");
};

TEST(SpacesTest, WidthChainsAdaptToTheInputSize) {
  const auto file = [](const std::string& more) {
    const Outcome outcome = run_lathe("spaces --space resnet18_widths --json " + more);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out);
  };
  EXPECT_EQ(file("")["layers"][0]["kernel"], 7);
  const nlohmann::json small = file("--input-size 28 --width-scale 0.5");
  EXPECT_EQ(small["layers"][0]["kernel"], 3);
  EXPECT_EQ(small["layers"][0]["widths"].back(), 48);
  EXPECT_EQ(small["name"], "my_resnet18_widths_x0.5");
  EXPECT_EQ(run_lathe("spaces --space mbv3_28 --width-scale 0.5").exit_code, 1);
}

TEST_F(DescribeTest, GivesOneLineOfJsonForEachNet) {
  const Outcome outcome = run_lathe("describe --space ofa_mbv3_w1.0 --input-size 224 --json");
  EXPECT_EQ(outcome.exit_code, 0);
  const auto lines = lines_of(outcome.out);
  ASSERT_EQ(lines.size(), 2U);
  const auto smallest = nlohmann::json::parse(lines[0]);
  const auto largest = nlohmann::json::parse(lines[1]);
  EXPECT_NEAR(smallest.at("macs").get<double>() / 1e6, 121.3, 0.05);
  EXPECT_NEAR(largest.at("macs").get<double>() / 1e6, 566.2, 0.05);
  for (const auto& net : {smallest, largest}) {
    EXPECT_GT(net.at("peak_memory_bytes"), 0);
    std::int64_t macs = 0;
    std::int64_t params = 0;
    for (const auto& block : net.at("blocks")) {
      macs += block.at("macs").get<std::int64_t>();
      params += block.at("params").get<std::int64_t>();
      EXPECT_FALSE(block.at("key").get<std::string>().empty());
    }
    EXPECT_EQ(net.at("macs"), macs);
    EXPECT_EQ(net.at("params"), params);
  }
}

TEST_F(DescribeTest, ReadsOneArchOrOneALine) {
  const std::string one = file("a.json", arch_json(space_->largest()));
  const Outcome single = run_lathe("describe --space mbv3_28 --json --arch " + quoted(one));
  EXPECT_EQ(single.exit_code, 0) << single.err;
  ASSERT_EQ(lines_of(single.out).size(), 1U);
  EXPECT_EQ(nlohmann::json::parse(single.out).at("arch"),
            nlohmann::json::parse(arch_json(space_->largest())));

  Rng rng(1);
  std::string text;
  std::vector<space::Arch> archs;
  for (int i = 0; i < 5; ++i) {
    archs.push_back(space_->sample(rng));
    text += arch_json(archs.back()) + "\n" + (i == 2 ? "\n" : "");  // an empty line is none
  }
  const std::string many = file("archs.jsonl", text);
  const Outcome all = run_lathe("describe --space mbv3_28 --json --archs " + quoted(many));
  EXPECT_EQ(all.exit_code, 0) << all.err;
  const auto lines = lines_of(all.out);
  ASSERT_EQ(lines.size(), archs.size());
  for (std::size_t i = 0; i < archs.size(); ++i) {
    EXPECT_EQ(nlohmann::json::parse(lines[i]).at("arch"),
              nlohmann::json::parse(arch_json(archs[i])));
  }
}

TEST_F(DescribeTest, InputSizeAndClassesAreTheTasks) {
  const auto largest = [](const std::string& options) {
    const Outcome outcome = run_lathe("describe --space mbv3_28 --json " + options);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return nlohmann::json::parse(lines_of(outcome.out).at(1));
  };
  const auto plain = largest("");
  const auto wide = largest("--classes 100");
  EXPECT_EQ(wide.at("params").get<std::int64_t>() - plain.at("params").get<std::int64_t>(),
            90 * (224 + 1));
  const auto big = largest("--input-size 56");
  EXPECT_EQ(big.at("params"), plain.at("params"));
  EXPECT_GT(big.at("macs").get<double>(), 3.5 * plain.at("macs").get<double>());
  EXPECT_EQ(big.at("arch").at("r"), 56);
}

TEST_F(DescribeTest, InputSizeOverridesThatOfTheFile) {
  const std::string path = file("a.json", arch_json(space_->smallest()));  // says "r": 28
  const Outcome outcome =
      run_lathe("describe --space mbv3_28 --input-size 32 --json --arch " + quoted(path));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(nlohmann::json::parse(outcome.out).at("arch").at("r"), 32);
}

TEST_F(DescribeTest, KeepsSomeResolutions) {
  const Outcome few = run_lathe("describe --space ofa_mbv3_w1.2 --resolutions 176,160 --json");
  EXPECT_EQ(few.exit_code, 0) << few.err;
  ASSERT_EQ(lines_of(few.out).size(), 2U);
  EXPECT_EQ(nlohmann::json::parse(lines_of(few.out)[0]).at("arch").at("r"), 160);
  EXPECT_EQ(nlohmann::json::parse(lines_of(few.out)[1]).at("arch").at("r"), 176);
  expect_failure(run_lathe("describe --space mbv3_28 --resolutions 32"), 1,
                 "space mbv3_28 has no choice of a resolution, got 32; give an input size instead");
  EXPECT_EQ(run_lathe("describe --space mbv3_28 --resolutions 28 --input-size 28").exit_code, 2);
  EXPECT_EQ(run_lathe("describe --space ofa_mbv3_w1.2 --resolutions big").exit_code, 2);
}

TEST_F(DescribeTest, ReadsGenotypesAndSizesTheirNets) {
  const std::string text = file("genotype.txt", lathe::testing::kDartsV2);
  const auto describe = [](const std::string& options) {
    const Outcome outcome = run_lathe("describe --json " + options);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out);
  };
  const auto cifar = describe("--space darts --arch " + quoted(text) +
                              " --init-channels 36 --cells 20 --input-size 32 --classes 10");
  EXPECT_EQ(cifar.at("params"), 3349342);
  EXPECT_NEAR(cifar.at("macs").get<double>() / 1e6, 528.4, 0.05);
  const auto with_head = describe("--space darts --auxiliary --arch " + quoted(text));
  EXPECT_EQ(with_head.at("params"), 3349342 + 476426);
  const auto imagenet = describe(
      "--space darts --stem imagenet --init-channels 48 --cells 14 "
      "--input-size 224 --classes 1000 --arch " +
      quoted(text));
  EXPECT_EQ(imagenet.at("params"), 4718752);
  EXPECT_EQ(imagenet, describe("--space darts_imagenet --arch " +
                               quoted(file("arch.json", cifar.at("arch").dump()))));
  const std::string lines = file("archs.jsonl", cifar.at("arch").dump() + "\n");
  EXPECT_EQ(describe("--space darts_c8_l1 --input-size 16 --archs " + quoted(lines))
                .at("arch")
                .at("normal"),
            cifar.at("arch").at("normal"));
}

TEST_F(DescribeTest, RefusesCellsThatAreNone) {
  const std::string text = file("genotype.txt", "Genotype(normal=[('skip', 0)])");
  expect_failure(run_lathe("describe --space darts --arch " + quoted(text)), 1,
                 text +
                     ": \"normal\" must be a list of 8 inputs such as [\"sep_conv_3x3\", 0], "
                     "got 1");
  expect_failure(run_lathe("describe --space mbv3_28 --cells 3"), 1,
                 "space mbv3_28 has no cells: a stem, channels, cells and an auxiliary head can be "
                 "given to darts only");
  expect_failure(
      run_lathe("describe --space darts --input-size 30"), 1,
      "space darts: input_size must be a multiple of 4, got 30; give the space another size "
      "or task");
  EXPECT_EQ(run_lathe("describe --space darts --stem mnist").exit_code, 2);
  EXPECT_EQ(run_lathe("describe --space darts_x").exit_code, 2);
}

TEST_F(DescribeTest, IsReadableWithoutJson) {
  const Outcome outcome = run_lathe("describe --space mbv3_28");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_NE(outcome.out.find("12.48 MMACs"), std::string::npos) << outcome.out;
}

TEST_F(DescribeTest, RefusesBadArchFiles) {
  const auto failure = [](const std::string& option, const std::string& path) {
    return run_lathe("describe --space mbv3_28 " + option + " " + quoted(path));
  };
  const std::string missing = (temporary_ / "missing.json").string();
  expect_failure(failure("--arch", missing), 1,
                 missing + ": cannot read: No such file or directory");
  const std::string torn = file("torn.json", "{\"ks\": [3,");
  EXPECT_EQ(failure("--arch", torn).exit_code, 1);
  EXPECT_EQ(failure("--arch", torn).err.rfind("lathe: " + torn + ": not valid JSON at line 1", 0),
            0U);

  nlohmann::json other = nlohmann::json::parse(arch_json(space_->largest()));
  other["space"] = "ofa_mbv3_w1.0";
  const std::string of_other = file("other.json", other.dump());
  expect_failure(failure("--arch", of_other), 1,
                 of_other +
                     ": is an arch of space \"ofa_mbv3_w1.0\", expected \"mbv3_28\"; name "
                     "its own with --space");
  nlohmann::json bad = nlohmann::json::parse(arch_json(space_->largest()));
  bad["ks"][2] = 9;
  const std::string lines =
      file("bad.jsonl", arch_json(space_->largest()) + "\n" + bad.dump() + "\n");
  expect_failure(failure("--archs", lines), 1, lines + ":2: \"ks\"[2] must be one of 3, 5, got 9");
  const std::string text = file("text.jsonl", "largest\n");
  EXPECT_EQ(failure("--archs", text).err.rfind("lathe: " + text + ":1: ", 0), 0U);
  const int depth = 1000000;  // reading it must not take as many frames of the stack
  const std::string deep =
      file("deep.jsonl", std::string(depth, '[') + std::string(depth, ']') + "\n");
  expect_failure(failure("--archs", deep), 1,
                 deep + ":1: expected one arch as JSON, got " + std::string(40, '['));
}

TEST_F(DescribeTest, RefusesBadOptions) {
  expect_failure(run_lathe("describe"), 2, "--space is required (see lathe --help)");
  EXPECT_EQ(run_lathe("describe --space mbv3_28 --input-size 0").exit_code, 2);
  EXPECT_EQ(run_lathe("describe --space mbv3_28 --classes many").exit_code, 2);
  EXPECT_EQ(run_lathe("describe --space mbv3_28 --arch a --archs b").exit_code, 2);
  const Outcome unknown = run_lathe("describe --space ofa_mbv3_w1.1");
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_EQ(lines_of(unknown.err).size(), 1U);
  EXPECT_NE(unknown.err.find("unknown space \"ofa_mbv3_w1.1\": did you mean \"ofa_mbv3_w1.0\""),
            std::string::npos)
      << unknown.err;
}

}  // namespace
}  // namespace lathe

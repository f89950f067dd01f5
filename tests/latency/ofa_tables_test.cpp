#include "lathe/latency/models/ofa_tables.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/space/builtin_spaces.h"
#include "lathe/space/families/mobile_family.h"
#include "published_data.h"

namespace lathe::latency {
namespace {

using graph::Activation;
using lathe::testing::published_data;
using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using Rows = std::map<std::string, double>;

/// One stage of one block: stem 8, first block 8, stage 16, head 32.
space::MobileSpec tiny_spec(Activation activation, bool squeeze_excite, int feature_channels) {
  return {.name = "tiny",
          .task = {.in_channels = 3, .num_classes = 10, .input_size = 32},
          .stem_channels = 8,
          .stem_activation = activation,
          .first_channels = 8,
          .first_activation = activation,
          .first_residual = activation != Activation::kRelu6,
          .stages = {{.channels = 16,
                      .stride = 2,
                      .activation = activation,
                      .squeeze_excite = squeeze_excite,
                      .depths = {1},
                      .kernels = {3, 5},
                      .expansions = {3}}},
          .head_channels = 32,
          .feature_channels = feature_channels,
          .head_activation = activation,
          .resolutions = {32, 64}};
}

Rows mobilenet_rows() {
  return {
      {"Conv-input:32x32x3-output:16x16x8", 1},
      {"expanded_conv-input:16x16x8-output:16x16x8-expand:8-kernel:3-stride:1-idskip:1-se:0-hs:1",
       2},
      {"expanded_conv-input:16x16x8-output:8x8x16-expand:24-kernel:3-stride:2-idskip:0-se:1-hs:1",
       4},
      {"expanded_conv-input:16x16x8-output:8x8x16-expand:24-kernel:5-stride:2-idskip:0-se:1-hs:1",
       4.5},
      {"Conv_1-input:8x8x16-output:8x8x32", 8},
      {"AvgPool2D-input:8x8x32-output:1x1x32", 16},
      {"Conv_2-input:1x1x32-output:1x1x48", 32},
      {"Logits-input:1x1x48-output:10", 64}};
}

/// The same table for input 64.
Rows mobilenet_rows_at_64() {
  return {
      {"Conv-input:64x64x3-output:32x32x8", 1},
      {"expanded_conv-input:32x32x8-output:32x32x8-expand:8-kernel:3-stride:1-idskip:1-se:0-hs:1",
       2},
      {"expanded_conv-input:32x32x8-output:16x16x16-expand:24-kernel:3-stride:2-idskip:0-se:1-"
       "hs:1",
       4},
      {"expanded_conv-input:32x32x8-output:16x16x16-expand:24-kernel:5-stride:2-idskip:0-se:1-"
       "hs:1",
       4.5},
      {"Conv_1-input:16x16x16-output:16x16x32", 8},
      {"AvgPool2D-input:16x16x32-output:1x1x32", 16},
      {"Conv_2-input:1x1x32-output:1x1x48", 32.5},
      {"Logits-input:1x1x48-output:10", 64}};
}

std::string yaml(const Rows& rows) {
  std::string text;
  for (const auto& [name, ms] : rows) {
    text += name + ":\n  count: 7\n  mean: " + std::to_string(ms) + "\n";
  }
  return text;
}

space::Arch with_resolution(space::Arch arch, std::uint8_t choice) {
  arch.choices.back() = choice;
  return arch;
}

class OfaTablesTest : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, const Rows& rows) const {
    write_file_atomic(dir_ / name, yaml(rows));
    return dir_ / name;
  }
  std::string error_of(const space::Space& space, const std::filesystem::path& path) const {
    return text_thrown<Error>([&] { load_ofa_tables(space, path); });
  }

  TemporaryFolder dir_;
  std::unique_ptr<space::Space> space_ =
      space::make_mobile_space(tiny_spec(Activation::kHSwish, true, 48));
};

TEST_F(OfaTablesTest, MobileNetRowsAddUp) {
  const BlockTable table(*space_,
                         load_ofa_tables(*space_, write("a_lookup_table.yaml", mobilenet_rows())));
  EXPECT_DOUBLE_EQ(table.predict_ms(space_->smallest()), 127.0);
  EXPECT_TRUE(table.covers(32));
  EXPECT_FALSE(table.covers(64));
  EXPECT_EQ(table.costs().fingerprint.device, "a_lookup_table");
  EXPECT_EQ(table.costs().fingerprint.space, "tiny");
}

TEST_F(OfaTablesTest, EachFileOfAFolderHoldsForItsResolution) {
  write("t/32_lookup_table.yaml", mobilenet_rows());
  write("t/64_lookup_table.yaml", mobilenet_rows_at_64());
  write_file_atomic(dir_ / "t/notes.txt", "not a table");
  const BlockTable table(*space_, load_ofa_tables(*space_, dir_ / "t/"));
  EXPECT_DOUBLE_EQ(table.predict_ms(space_->smallest()), 127.0);
  EXPECT_DOUBLE_EQ(table.predict_ms(space_->largest()), 128.0);
  EXPECT_EQ(table.costs().fingerprint.device, "t");
  EXPECT_EQ(table.costs().coefficients_at_input_size_ms.size(), 1U);
  table.save(dir_ / "table.json");
  EXPECT_EQ(BlockTable::load(*space_, dir_ / "table.json").costs(), table.costs());
}

TEST_F(OfaTablesTest, AFileMayHaveAllResolutions) {
  Rows rows = mobilenet_rows();
  rows.merge(mobilenet_rows_at_64());
  const BlockTable table(*space_, load_ofa_tables(*space_, write("all.yaml", rows)));
  EXPECT_DOUBLE_EQ(table.predict_ms(space_->smallest()), 127.0);
  EXPECT_DOUBLE_EQ(table.predict_ms(space_->largest()), 127.5);
}

TEST_F(OfaTablesTest, ProxylessRowsAddUp) {
  const auto space = space::make_mobile_space(tiny_spec(Activation::kRelu6, false, 0));
  const Rows rows{
      {"Conv-input:32x32x3-output:16x16x8", 1},
      {"expanded_conv-input:16x16x8-output:16x16x8-expand:1-kernel:3-stride:1-idskip:0", 2},
      {"expanded_conv-input:16x16x8-output:8x8x16-expand:3-kernel:3-stride:2-idskip:0", 4},
      {"expanded_conv-input:16x16x8-output:8x8x16-expand:3-kernel:5-stride:2-idskip:0", 4.5},
      {"Conv_1-input:8x8x16-output:8x8x32", 8},
      {"Logits-input:8x8x32-output:10", 16}};
  const BlockTable table(*space, load_ofa_tables(*space, write("p.yaml", rows)));
  EXPECT_DOUBLE_EQ(table.predict_ms(space->smallest()), 31.0);
  EXPECT_DOUBLE_EQ(table.predict_ms(with_resolution(space->largest(), 0)), 31.5);
}

TEST_F(OfaTablesTest, NsganetRowsAddUp) {
  const Rows rows{
      {"first_conv-input:32x32x3-output:16x16x8", 1},
      {"MBConv-input:16x16x8-output:16x16x8-expand:1-kernel:3-stride:1-idskip:1-se:0", 2},
      {"MBConv-input:16x16x8-output:8x8x16-expand:3-kernel:3-stride:2-idskip:0-se:1", 4},
      {"MBConv-input:16x16x8-output:8x8x16-expand:3-kernel:5-stride:2-idskip:0-se:1", 4.5},
      {"final_expand_layer-input:8x8x16-output:8x8x32", 8},
      {"feature_mix_layer-input:1x1x32-output:1x1x48", 16},
      {"classifier-input:48-output:10", 32}};
  const BlockTable table(*space_, load_ofa_tables(*space_, write("i7.yaml", rows)));
  EXPECT_DOUBLE_EQ(table.predict_ms(space_->smallest()), 63.0);
}

TEST_F(OfaTablesTest, EveryMissingRowNamesItself) {
  for (const auto& [name, ms] : mobilenet_rows()) {
    if (name.starts_with("Conv-")) {
      continue;  // says the resolution: see below
    }
    Rows rows = mobilenet_rows();
    rows.erase(name);
    const auto path = write("t.yaml", rows);
    EXPECT_EQ(error_of(*space_, path),
              path.string() + ": no row \"" + name +
                  "\", which space tiny needs at resolution 32; the table is incomplete, or of "
                  "nets that are no built-in space's");
  }
}

TEST_F(OfaTablesTest, RefusesTablesOfOtherNets) {
  const auto path = write("t.yaml", mobilenet_rows());
  const auto proxyless = space::make_mobile_space(tiny_spec(Activation::kRelu6, false, 0));
  EXPECT_EQ(error_of(*proxyless, path),
            path.string() +
                ": a table of MobileNetV3 nets has no rows for block \"mbconv 16x16x8 -> 16x16x8 "
                "mid 8 k3 s1 relu6\", which space tiny needs at resolution 32; the table is "
                "incomplete, or of nets that are no built-in space's");
  const auto none = dir_ / "none.yaml";
  write_file_atomic(none, "A: {mean: 1}\n");
  EXPECT_EQ(error_of(*space_, none),
            none.string() +
                ": expected rows named expanded_conv-... or MBConv-..., got none: not a "
                "once-for-all latency table");
}

TEST_F(OfaTablesTest, TheResolutionIsThatOfTheFirstConvolution) {
  Rows rows = mobilenet_rows();
  rows.erase("Conv-input:32x32x3-output:16x16x8");
  const auto path = write("t.yaml", rows);
  EXPECT_EQ(error_of(*space_, path),
            path.string() + ": no row \"Conv-input:...\", which says the resolution");
  rows["Conv-input:48x48x3-output:24x24x8"] = 1;
  EXPECT_EQ(error_of(*space_, write("t.yaml", rows)),
            path.string() + ": its resolutions, 48, are none of space tiny: 32, 64");
  const auto misnamed = write("64_lookup_table.yaml", mobilenet_rows());
  EXPECT_EQ(error_of(*space_, misnamed),
            misnamed.string() + ": its name says resolution 64, its first convolution 32");
  write("twice/32_lookup_table.yaml", mobilenet_rows());
  const auto again = write("twice/b_lookup_table.yaml", mobilenet_rows());
  EXPECT_EQ(error_of(*space_, dir_ / "twice"),
            again.string() + ": resolution 32 is in another file of the folder too");
}

TEST_F(OfaTablesTest, RefusesWhatCannotBeRead) {
  const std::string none = (dir_ / "none").string();
  EXPECT_EQ(error_of(*space_, none), none + ": cannot read: No such file or directory");
  write_file_atomic(dir_ / "empty/readme", "");
  EXPECT_EQ(error_of(*space_, dir_ / "empty"),
            (dir_ / "empty").string() + ": expected files *_lookup_table.yaml, got none");
}

TEST(PublishedOfaTablesTest, Note10GivesThePublishedLatencies) {
  const auto data = published_data();
  if (!data) {
    GTEST_SKIP() << "LATHE_PUBLISHED_DATA is not set";
  }
  const auto space = space::make_space("ofa_mbv3_w1.2");
  const BlockTable table(*space, load_ofa_tables(*space, *data / "ofa_note10"));
  for (const int size : space->input_sizes()) {
    EXPECT_EQ(table.covers(size), size >= 160 && size % 16 == 0) << size;
  }
  const auto nets = lathe::testing::golden_nets(*data);
  ASSERT_EQ(nets.size(), 49U);
  for (const auto& net : nets) {
    const double ms = table.predict_ms(space->from_json(net.arch, "golden.csv"));
    EXPECT_NEAR(ms, net.latency_ms, 0.005 + 1e-9) << net.arch;
  }
}

TEST(PublishedOfaTablesTest, Note10ReachesItsPublishedMinimum) {
  const auto data = published_data();
  if (!data) {
    GTEST_SKIP() << "LATHE_PUBLISHED_DATA is not set";
  }
  const auto space = space::make_space("ofa_mbv3_w1.2", {.resolutions = {160, 176, 192, 208, 224}});
  const BlockTable table(*space, load_ofa_tables(*space, *data / "ofa_note10"));
  EXPECT_TRUE(table.missing_keys().empty());
  EXPECT_NEAR(table.predict_ms(space->smallest()), 9.89, 0.005);
}

TEST(PublishedOfaTablesTest, TheI7TableHoldsBothWidths) {
  const auto data = published_data();
  if (!data) {
    GTEST_SKIP() << "LATHE_PUBLISHED_DATA is not set";
  }
  for (const std::string name : {"ofa_mbv3_w1.0", "ofa_mbv3_w1.2", "compofa_mbv3"}) {
    const auto space = space::make_space(name);
    const BlockTable table(*space, load_ofa_tables(*space, *data / "cpu_lut/i7-8700K_lut.yaml"));
    EXPECT_TRUE(table.missing_keys().empty()) << name;
    EXPECT_LT(table.predict_ms(space->smallest()), table.predict_ms(space->largest()));
  }
}

TEST(PublishedOfaTablesTest, OtherWidthsAreRefused) {
  const auto data = published_data();
  if (!data) {
    GTEST_SKIP() << "LATHE_PUBLISHED_DATA is not set";
  }
  const std::string file = (*data / "ofa_note10/160_lookup_table.yaml").string();
  const auto error_of = [&](const std::string& name) {
    const auto space = space::make_space(name);
    return text_thrown<Error>([&] { load_ofa_tables(*space, *data / "ofa_note10"); });
  };
  EXPECT_EQ(error_of("ofa_mbv3_w1.0"),
            file +
                ": no row \"Conv-input:160x160x3-output:80x80x16\", which space ofa_mbv3_w1.0 "
                "needs at resolution 160; the table fits space ofa_mbv3_w1.2");
  for (const std::string name : {"ofa_proxyless_w1.3", "ofa_resnet50d"}) {
    const std::string text = error_of(name);
    EXPECT_EQ(text.rfind(file + ": ", 0), 0U) << text;
    EXPECT_TRUE(text.ends_with("; the table fits space ofa_mbv3_w1.2")) << text;
  }
}

}  // namespace
}  // namespace lathe::latency

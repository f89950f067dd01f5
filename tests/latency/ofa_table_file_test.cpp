#include "lathe/latency/models/ofa_table_file.h"

#include <gtest/gtest.h>

#include <string>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/random.h"

namespace lathe::latency {
namespace {

using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;

const std::string kTable =
    "Conv-input:8x8x3-output:4x4x16:\n"
    "  count: 498\n"
    "  mean: 0.5\n"
    "  std: 0.01\n"
    "? Logits-input:1x1x16-output:10\n"
    ": {count: 3, mean: 2.5e-1}\n";

TEST(OfaTableFileTest, IsTheMeanOfEachRow) {
  const OfaTableFile file = parse_ofa_table(kTable, "t.yaml");
  EXPECT_EQ(file.path, "t.yaml");
  ASSERT_EQ(file.mean_ms.size(), 2U);
  EXPECT_EQ(file.mean_ms.at("Conv-input:8x8x3-output:4x4x16"), 0.5);
  EXPECT_EQ(file.mean_ms.at("Logits-input:1x1x16-output:10"), 0.25);
}

std::string error_of(const std::string& text) {
  return text_thrown<Error>([&] { parse_ofa_table(text, "t.yaml"); });
}

TEST(OfaTableFileTest, RefusesOtherForms) {
  const std::string expected =
      "expected a latency table, rows of the form \"<name>: {mean: <ms>}\", got ";
  EXPECT_EQ(error_of(""), "t.yaml: expected a latency table, got an empty file");
  EXPECT_EQ(error_of("{}"), "t.yaml: expected a latency table, got an empty file");
  EXPECT_EQ(error_of("hello"), "t.yaml:1: " + expected + "the value \"hello\"");
  EXPECT_EQ(error_of("- a\n"), "t.yaml:1: " + expected + "a list");
  EXPECT_EQ(error_of("Conv: 3\n"), "t.yaml:1: " + expected + "the value \"3\"");
  EXPECT_EQ(error_of("Conv:\n"), "t.yaml:2: " + expected + "the value \"\"");
  EXPECT_EQ(error_of("Conv:\n  mean: {a: 1}\n"), "t.yaml:2: " + expected + "a map");
  EXPECT_EQ(error_of("Conv:\n  mean: [1]\n"), "t.yaml:2: " + expected + "a list");
  EXPECT_EQ(error_of("? {a: 1}\n: {mean: 1}\n"), "t.yaml:1: " + expected + "a map");
  EXPECT_EQ(error_of("A: {mean: 1}\n---\nB: {mean: 1}\n"),
            "t.yaml:2: " + expected + "a second document");
}

TEST(OfaTableFileTest, RefusesFiguresThatAreNone) {
  for (const std::string value : {"-1", "0", "0.0", ".nan", "nan", ".inf", "inf", "1e999", "1e9",
                                  "fast", "1.0ms", "''", "0x10"}) {
    EXPECT_EQ(error_of("A:\n  mean: " + value + "\n"),
              "t.yaml:2: row \"A\" needs a mean in (0, 1e9) ms, got \"" +
                  (value == "''" ? "" : value) + "\"");
  }
  EXPECT_EQ(error_of("A:\n  mean: 1\nB:\n  std: 1\n"), "t.yaml:4: row \"B\" has no \"mean\"");
  EXPECT_EQ(error_of("A: {mean: 1}\nA: {mean: 2}\n"), "t.yaml:2: row \"A\" is there twice");
  EXPECT_EQ(error_of("A: {mean: 1, mean: 2}\n"), "t.yaml:1: row \"A\" has two \"mean\"s");
}

TEST(OfaTableFileTest, IsBoundedOnHostileText) {
  const std::string deep = error_of(std::string(100000, '['));
  EXPECT_EQ(deep.find('\n'), std::string::npos);
  EXPECT_NE(deep.find("got a list"), std::string::npos) << deep;
  std::string maps;
  for (int i = 0; i < 5000; ++i) {
    maps += "{a: ";
  }
  EXPECT_NE(error_of(maps).find("got a map"), std::string::npos);
  EXPECT_NE(error_of("a: &x {mean: 1}\nb: *x\n").find("got an anchor"), std::string::npos);
  EXPECT_NE(error_of("a: {mean: *x}\n").find("t.yaml:1: "), std::string::npos);
  EXPECT_EQ(error_of("a: {mean: 1\n").find("t.yaml:2: not valid YAML: "), 0U)
      << error_of("a: {mean: 1\n");
  EXPECT_LT(error_of(std::string(1000000, 'a')).size(), 300U);
  EXPECT_EQ(error_of("a\x01\xff: {mean: \"b\nc\"}").find('\n'), std::string::npos);
}

TEST(OfaTableFileTest, ReadsRegularFilesOfUsualSize) {
  const TemporaryFolder dir;
  write_file_atomic(dir / "t.yaml", kTable);
  EXPECT_EQ(read_ofa_table(dir / "t.yaml").mean_ms, parse_ofa_table(kTable, "").mean_ms);
  const std::string none = (dir / "none.yaml").string();
  EXPECT_EQ(text_thrown<Error>([&] { read_ofa_table(none); }),
            none + ": cannot read: No such file or directory");
  EXPECT_EQ(
      text_thrown<Error>([] { read_ofa_table("/dev/zero"); }).find("/dev/zero: cannot read: "), 0U);
  const std::string huge = (dir / "huge.yaml").string();
  write_file_atomic(huge, std::string(5 << 20, ' '));
  EXPECT_EQ(text_thrown<Error>([&] { read_ofa_table(huge); }),
            huge + ": expected a latency table of at most 4 MiB, got 5242880 bytes");
}

TEST(OfaTableFileTest, DamagedTextIsReadOrRefused) {
  Rng rng(1);
  int refused = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text = kTable;
    for (std::uint32_t changes = 1 + rng.below(4); changes > 0; --changes) {
      const std::size_t at = rng.below(static_cast<std::uint32_t>(text.size()));
      switch (rng.below(3)) {
        case 0:
          text[at] = "\0:{}[]&*!|>'\"%@`#,?- \n\t\xff"[rng.below(25)];
          break;
        case 1:
          text.erase(at, 1 + rng.below(9));
          break;
        default:
          text.insert(at, text.substr(rng.below(static_cast<std::uint32_t>(text.size())), 20));
      }
    }
    try {
      parse_ofa_table(text, "t.yaml");
    } catch (const Error& error) {
      ++refused;
      ASSERT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }
  }
  EXPECT_GT(refused, 5000);
}

}  // namespace
}  // namespace lathe::latency

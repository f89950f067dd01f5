#include "lathe/latency/samples/csv_import.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::latency {
namespace {

using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

constexpr const char* kColumns =
    "ks,phone,e,d,r\n"
    "3 5 3 5,1.5,2 3 2 3,2 2,16\r\n"
    "\n"
    "5 5 5 5,2.25, 3 3  3 3 ,1 2,24";

std::vector<LatencySample> read(const std::string& text, const std::string& column = "phone") {
  const TemporaryFolder dir;
  const TinySpace space;
  write_file_atomic(dir / "t.csv", text);
  return read_latency_csv(dir / "t.csv", space, column);
}

// What is said, with the file's name replaced by FILE.
std::string error_of(const std::string& text, const std::string& column = "phone") {
  const TemporaryFolder dir;
  const TinySpace space;
  write_file_atomic(dir / "t.csv", text);
  const std::string file = (dir / "t.csv").string();
  const std::string message =
      text_thrown<Error>([&] { read_latency_csv(dir / "t.csv", space, column); });
  return message.find(file) == 0 ? "FILE" + message.substr(file.size()) : message;
}

TEST(CsvImportTest, ReadsOneColumnPerKey) {
  const TinySpace space;
  const std::vector<LatencySample> samples = read(kColumns);
  ASSERT_EQ(samples.size(), 2U);
  EXPECT_EQ(samples[0].median_ms, 1.5);
  EXPECT_EQ(samples[0].p90_ms, 1.5);
  EXPECT_EQ(samples[0].repeats, 1);
  EXPECT_EQ(space.to_json(samples[0].arch).dump(),
            R"({"space":"tiny","ks":[3,5,3,5],"e":[2,3,2,3],"d":[2,2],"r":16})");
  EXPECT_EQ(samples[1].arch,
            space.from_json({{"ks", {5, 5, 5, 5}}, {"e", {3, 3, 3, 3}}, {"d", {1, 2}}, {"r", 24}},
                            "expected"));
}

TEST(CsvImportTest, ReadsAnArchColumn) {
  const TinySpace space;
  const std::string arch = space.to_json(space.largest()).dump();
  std::string quoted = "\"";
  for (const char c : arch) {
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  }
  const std::vector<LatencySample> samples = read("arch,ms\n" + quoted + "\",4\n", "ms");
  ASSERT_EQ(samples.size(), 1U);
  EXPECT_EQ(samples[0].arch, space.largest());
}

TEST(CsvImportTest, SaysWhatIsWrong) {
  EXPECT_EQ(error_of(kColumns, "phon"), "FILE:1: no column \"phon\": did you mean \"phone\"?");
  EXPECT_EQ(error_of("ks,phone,e\n"), "FILE:1: no column \"d\": did you mean \"e\"?");
  EXPECT_EQ(error_of("arch,phone\n"),
            "FILE: expected a line of column names and rows below it, got no rows");
  EXPECT_EQ(error_of(""), "FILE: expected a line of column names and rows below it, got no rows");
  EXPECT_EQ(error_of("ks,phone,e,d,r\n1,2\n"), "FILE:2: expected 5 cells, got 2");
  const auto row = [](const std::string& ks, const std::string& ms) {
    return "ks,phone,e,d,r\n" + ks + "," + ms + ",2 2 2 2,1 1,16\n";
  };
  EXPECT_EQ(error_of(row("3 3 3 9", "1")), "FILE:2: \"ks\"[3] must be one of 3, 5, got 9.0");
  EXPECT_EQ(error_of(row("3 3 three 3", "1")), "FILE:2: \"ks\": expected a number, got \"three\"");
  EXPECT_EQ(error_of(row("3 3 3 3", "nan")), "FILE:2: \"phone\": must be > 0 ms, got nan");
  EXPECT_EQ(error_of(row("3 3 3 3", "0")), "FILE:2: \"phone\": must be > 0 ms, got 0");
  EXPECT_EQ(error_of(row("3 3 3 3", "-1.5")), "FILE:2: \"phone\": must be > 0 ms, got -1.5");
  EXPECT_EQ(error_of(row("3 3 3 3", "fast")), "FILE:2: \"phone\": expected a number, got \"fast\"");
  EXPECT_EQ(error_of(row("\"3 3 3 3", "1")), "FILE:2: a quoted cell has no end on its line");
}

TEST(CsvImportTest, SurvivesAnyBytes) {
  const TemporaryFolder dir;
  const TinySpace space;
  const std::string good = std::string(kColumns) + "\n\"5 5 5 5\",2.25,3 3 3 3,1 2,24\n";
  Rng rng(1);
  int read_whole = 0;
  for (int i = 0; i < 500; ++i) {
    std::string text = good;
    for (std::uint32_t k = 0; k < 1 + rng.below(3); ++k) {
      const std::size_t at = rng.below(static_cast<std::uint32_t>(text.size()));
      text[at] = static_cast<char>(rng.below(256));
    }
    text.resize(rng.below(static_cast<std::uint32_t>(text.size())) + 1);
    std::ofstream(dir / "t.csv", std::ios::binary) << text;
    try {
      read_latency_csv(dir / "t.csv", space, "phone");
      ++read_whole;
    } catch (const Error&) {
    }
  }
  EXPECT_GT(read_whole, 0);
}

}  // namespace
}  // namespace lathe::latency

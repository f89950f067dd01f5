#include "lathe/train/records/event_file.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lathe/core/random.h"
#include "train/event_reader.h"

namespace lathe::train {
namespace {

using lathe::testing::EventReader;

std::string hex(const std::string& bytes) {
  std::string text;
  for (const char byte : bytes) {
    for (const int digit :
         {static_cast<std::uint8_t>(byte) / 16, static_cast<std::uint8_t>(byte) % 16}) {
      text += "0123456789abcdef"[digit];
    }
  }
  return text;
}

// Made from the formats' descriptions by a program of a few lines in another language.
TEST(EventFileTest, TheBytesAreThoseOfTheFormat) {
  EXPECT_EQ(hex(event_file_header(1700000000.5)),
            "1800000000000000a37f4b22"
            "0900002040fc54d9411a0d627261696e2e4576656e743a32"
            "2b353110");
  EXPECT_EQ(hex(event_record(300, 1700000001.25, {{"train/loss", 0.5F}, {"top1/all", -2.0F}})),
            "3200000000000000241956ec"
            "0900005040fc54d94110ac022a240a110a0a747261696e2f6c6f7373150000003f"
            "0a0f0a08746f70312f616c6c15000000c0"
            "9ce9e11b");
}

TEST(EventFileTest, AnotherReaderReadsWhatWasWritten) {
  const std::string file =
      event_file_header(1.5) + event_record(0, 2.5, {}) +
      event_record(std::int64_t{1} << 40, 3.5, {{std::string(200, 't'), 7.0F}});
  const auto events = EventReader(file).all();
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].file_version, "brain.Event:2");
  EXPECT_EQ(events[0].wall_time_s, 1.5);
  EXPECT_EQ(events[1].step, 0);
  EXPECT_TRUE(events[1].scalars.empty());
  EXPECT_EQ(events[2].step, std::int64_t{1} << 40);
  EXPECT_EQ(events[2].wall_time_s, 3.5);
  EXPECT_EQ(events[2].scalars, (std::map<std::string, float>{{std::string(200, 't'), 7.0F}}));
}

TEST(EventFileTest, ScanningFindsWhereEventsEnd) {
  const std::string header = event_file_header(1);
  const std::string first = event_record(8, 2, {{"a", 1.0F}});
  const std::string second = event_record(16, 3, {{"a", 2.0F}, {"b", 3.0F}});
  const EventScan scan = scan_events(header + first + second);
  EXPECT_EQ(scan.header_end, header.size());
  ASSERT_EQ(scan.events.size(), 2U);
  EXPECT_EQ(scan.events[0].step, 8);
  EXPECT_EQ(scan.events[0].end, header.size() + first.size());
  EXPECT_EQ(scan.events[1].step, 16);
  EXPECT_EQ(scan.events[1].end, header.size() + first.size() + second.size());
  EXPECT_EQ(scan_events("").header_end, 0U);
  EXPECT_EQ(scan_events(first).header_end, 0U) << "an event where the header should be";
}

TEST(EventFileTest, ScanningStopsWhereAFileIsTornOrDamaged) {
  const std::string header = event_file_header(1);
  std::string file = header;
  std::vector<std::size_t> ends;
  for (int step = 1; step <= 4; ++step) {
    file += event_record(step, 2, {{"a", 1.0F}});
    ends.push_back(file.size());
  }
  const auto whole_before = [&](std::size_t offset) {
    std::size_t whole = 0;
    while (whole < ends.size() && ends[whole] <= offset) ++whole;
    return whole;
  };
  for (std::size_t cut = 0; cut <= file.size(); ++cut) {
    const EventScan scan = scan_events(file.substr(0, cut));
    EXPECT_EQ(scan.header_end, cut < header.size() ? 0 : header.size());
    EXPECT_EQ(scan.events.size(), whole_before(cut));
  }
  Rng rng(1);
  for (int trial = 0; trial < 2000; ++trial) {
    std::string damaged = file;
    const std::size_t at = rng.below(static_cast<std::uint32_t>(file.size()));
    damaged[at] = static_cast<char>(damaged[at] ^ static_cast<char>(1U << rng.below(8)));
    const EventScan scan = scan_events(damaged);
    EXPECT_EQ(scan.header_end, at < header.size() ? 0 : header.size());
    EXPECT_EQ(scan.events.size(), at < header.size() ? 0 : whole_before(at)) << at;
  }
}

}  // namespace
}  // namespace lathe::train

#include "lathe/train/records/metrics.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "train/event_reader.h"

namespace lathe::train {
namespace {

using lathe::testing::EventReader;
using lathe::testing::ReadEvent;
using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using nlohmann::ordered_json;

class MetricsTest : public ::testing::Test {
 protected:
  /// As a run of `steps` records, each half a loss of the one before.
  void record(int first, int last) {
    for (int step = first; step <= last; ++step) {
      metrics_.append({{"step", step}, {"loss", 1.0 / (1 << step)}, {"lr", 0.125 * step}});
    }
  }
  std::string jsonl() const { return read_file(metrics_.jsonl()); }
  std::string csv() const { return read_file(metrics_.csv()); }
  std::string events() const { return read_file(metrics_.events()); }
  std::vector<ReadEvent> read_events() const { return EventReader(events()).all(); }
  std::vector<std::int64_t> steps_of_events() const {
    std::vector<std::int64_t> steps;
    for (const ReadEvent& event : read_events()) steps.push_back(event.step);
    return steps;
  }

  TemporaryFolder folder_;
  Metrics metrics_{folder_.path()};
};

TEST_F(MetricsTest, WritesEachRecordInThreeForms) {
  metrics_.append({{"step", 8}, {"loss", 0.5}, {"phase", "full"}});
  metrics_.append({{"step", 16}, {"loss", 0.25}, {"phase", "shrink"}});
  EXPECT_EQ(jsonl(),
            "{\"step\":8,\"loss\":0.5,\"phase\":\"full\"}\n"
            "{\"step\":16,\"loss\":0.25,\"phase\":\"shrink\"}\n");
  EXPECT_EQ(csv(), "step,loss,phase\r\n8,0.5,full\r\n16,0.25,shrink\r\n");
  const auto read = read_events();
  ASSERT_EQ(read.size(), 3U);
  EXPECT_EQ(read[0].file_version, "brain.Event:2");
  EXPECT_EQ(read[1].step, 8);
  EXPECT_EQ(read[1].scalars, (std::map<std::string, float>{{"train/loss", 0.5F}}));
  EXPECT_EQ(read[2].step, 16);
  EXPECT_EQ(read[2].scalars, (std::map<std::string, float>{{"train/loss", 0.25F}}));
  EXPECT_GT(read[1].wall_time_s, 1.6e9);
  EXPECT_GE(read[2].wall_time_s, read[1].wall_time_s);
  EXPECT_EQ(folder_.count(), 3);
}

TEST_F(MetricsTest, ColumnsGrow) {
  metrics_.append({{"step", 1}, {"loss", 2}});
  metrics_.append({{"step", 2}, {"top1", {{"largest", 0.5}, {"smallest", 0.25}}}, {"loss", 1}});
  metrics_.append({{"step", 3}, {"top1", {{"smallest", 0.75}}}});
  EXPECT_EQ(csv(),
            "step,loss,top1/largest,top1/smallest\r\n"
            "1,2,,\r\n"
            "2,1,0.5,0.25\r\n"
            "3,,,0.75\r\n");
  EXPECT_EQ(read_events().at(2).scalars,
            (std::map<std::string, float>{
                {"top1/largest", 0.5F}, {"top1/smallest", 0.25F}, {"train/loss", 1.0F}}));
}

TEST_F(MetricsTest, QuotesWhatNeedsIt) {
  metrics_.append({{"step", 1},
                   {"a,b", "x,y"},
                   {"say", "so \"it\" is\r\n"},
                   {"list", {1, 2}},
                   {"none", nullptr},
                   {"on", true},
                   {"nan", std::numeric_limits<double>::quiet_NaN()}});
  EXPECT_EQ(csv(),
            "step,\"a,b\",say,list,none,on,nan\r\n"
            "1,\"x,y\",\"so \"\"it\"\" is\r\n\",\"[1,2]\",,true,\r\n");
  EXPECT_TRUE(read_events().at(1).scalars.empty());
  // The same when it is read back.
  const std::string before = csv();
  std::filesystem::remove(metrics_.csv());
  Metrics(folder_.path()).keep_until(1);
  EXPECT_EQ(csv(), before);
}

TEST_F(MetricsTest, GoesOnWhereAnotherStopped) {
  const TemporaryFolder whole;
  {
    Metrics undisturbed(whole.path());
    for (int step = 1; step <= 6; ++step) {
      undisturbed.append({{"step", step}, {"loss", 1.0 / (1 << step)}, {"lr", 0.125 * step}});
    }
  }
  record(1, 5);
  const std::vector<ReadEvent> before = read_events();
  Metrics resumed(folder_.path());
  resumed.keep_until(3);
  EXPECT_EQ(steps_of_events(), (std::vector<std::int64_t>{0, 1, 2, 3}));
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(read_events()[i].wall_time_s, before[i].wall_time_s);
  }
  for (int step = 4; step <= 6; ++step) {
    resumed.append({{"step", step}, {"loss", 1.0 / (1 << step)}, {"lr", 0.125 * step}});
  }
  EXPECT_EQ(jsonl(), read_file(whole / "metrics.jsonl"));
  EXPECT_EQ(csv(), read_file(whole / "metrics.csv"));
  EXPECT_EQ(steps_of_events(), (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(read_events()[4].scalars,
            (std::map<std::string, float>{{"train/loss", 1.0F / 16}, {"train/lr", 0.5F}}));
}

TEST_F(MetricsTest, KeepingAllChangesNothing) {
  record(1, 3);
  const auto time = std::filesystem::last_write_time(metrics_.events());
  const std::string before = jsonl() + csv() + events();
  Metrics(folder_.path()).keep_until(3);
  EXPECT_EQ(jsonl() + csv() + events(), before);
  EXPECT_EQ(std::filesystem::last_write_time(metrics_.events()), time);
}

TEST_F(MetricsTest, AColumnOfDroppedRecordsGoes) {
  record(1, 2);
  metrics_.append({{"step", 3}, {"loss", 0.0}, {"late", 1}});
  Metrics resumed(folder_.path());
  resumed.keep_until(2);
  EXPECT_EQ(csv(), "step,loss,lr\r\n1,0.5,0.125\r\n2,0.25,0.25\r\n");
  resumed.append({{"step", 3}, {"lr", 1}});
  EXPECT_EQ(csv(), "step,loss,lr\r\n1,0.5,0.125\r\n2,0.25,0.25\r\n3,,1\r\n");
}

TEST_F(MetricsTest, ARunThatBeginsAnewHasNoFiles) {
  record(1, 2);
  metrics_.keep_until(0);
  EXPECT_EQ(folder_.count(), 0);
  metrics_.keep_until(0);
  record(1, 1);
  EXPECT_EQ(csv(), "step,loss,lr\r\n1,0.5,0.125\r\n");
  EXPECT_EQ(steps_of_events(), (std::vector<std::int64_t>{0, 1}));
}

// A crash can leave any of the files behind the others, or torn; the lines of JSON count.
TEST_F(MetricsTest, MendsWhatACrashLeaves) {
  record(1, 3);
  const std::string lines = jsonl();
  const std::string table = csv();
  const std::string history = events();
  for (std::size_t cut = 0; cut <= history.size(); cut += 7) {
    write_file_atomic(metrics_.events(), history.substr(0, cut));
    write_file_atomic(metrics_.csv(), table.substr(0, cut % table.size()));
    std::ofstream(metrics_.jsonl(), std::ios::app) << "{\"step\":4,\"lo";
    Metrics(folder_.path()).keep_until(9);
    EXPECT_EQ(jsonl(), lines);
    EXPECT_EQ(csv(), table);
    const auto read = read_events();
    ASSERT_EQ(read.size(), 4U);
    for (std::size_t step = 1; step <= 3; ++step) {
      EXPECT_EQ(read[step].step, static_cast<std::int64_t>(step));
      EXPECT_EQ(read[step].scalars.at("train/lr"), 0.125F * static_cast<float>(step));
    }
  }
  std::filesystem::remove(metrics_.events());
  std::filesystem::remove(metrics_.csv());
  Metrics(folder_.path()).keep_until(9);
  EXPECT_EQ(csv(), table);
  EXPECT_EQ(steps_of_events(), (std::vector<std::int64_t>{0, 1, 2, 3}));
}

TEST_F(MetricsTest, MendsAnEventFileOfAnotherHistory) {
  record(1, 3);
  write_file_atomic(metrics_.events(), event_file_header(1) + event_record(1, 2, {}) +
                                           event_record(7, 3, {{"other", 1.0F}}));
  Metrics(folder_.path()).keep_until(3);
  EXPECT_EQ(steps_of_events(), (std::vector<std::int64_t>{0, 1, 2, 3}));
}

TEST_F(MetricsTest, RefusesWhatIsNoRecord) {
  const std::string text =
      "[train::Metrics::append] the record must be an object with an integer \"step\"";
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { metrics_.append({{"loss", 1}}); }), text);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { metrics_.append({{"step", 1.5}}); }), text);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { metrics_.append(ordered_json::array()); }),
            text);
  EXPECT_EQ(folder_.count(), 0);
  write_file_atomic(metrics_.jsonl(), "{\"step\":1}\n{\"loss\":1}\n");
  EXPECT_EQ(text_thrown<Error>([&] {
              metrics_.keep_until(1);
            }).rfind(metrics_.jsonl().string() + ":2: \"step\": expected an integer", 0),
            0U);
  write_file_atomic(metrics_.jsonl(), std::string(1'000'000, '[') + "\n");
  EXPECT_EQ(text_thrown<Error>([&] { metrics_.keep_until(1); }),
            metrics_.jsonl().string() + ":1: JSON nested deeper than 200");
}

TEST_F(MetricsTest, NamesAFolderThatCantBeWritten) {
  write_file_atomic(folder_ / "file", "x");
  Metrics metrics(folder_ / "file");
  EXPECT_EQ(text_thrown<Error>([&] {
              metrics.append({{"step", 1}});
            }),
            (folder_ / "file/metrics.jsonl").string() + ": cannot write: Not a directory");
}

}  // namespace
}  // namespace lathe::train

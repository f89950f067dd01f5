#include "lathe/run/doctor.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "core/temporary_folder.h"

namespace lathe::run {
namespace {

using State = Finding::State;

TEST(DoctorTest, JudgesFigures) {
  EXPECT_EQ(judge_matrix_product(230).state, State::kGood);
  EXPECT_EQ(judge_matrix_product(230).found, "230 GFLOP/s on one core");
  EXPECT_EQ(judge_matrix_product(7).state, State::kProblem);
  EXPECT_NE(judge_matrix_product(7).advice.find("libopenblas0-pthread"), std::string::npos);
  EXPECT_EQ(judge_governor("performance").state, State::kGood);
  EXPECT_EQ(judge_governor("powersave").state, State::kNote);
  EXPECT_EQ(judge_governor({}).state, State::kNote);
  EXPECT_EQ(judge_load(0.1, 2).state, State::kGood);
  EXPECT_EQ(judge_load(4.5, 2).found, "4.5 processes want to run, on 2 cores");
  EXPECT_EQ(judge_load(4.5, 2).state, State::kNote);
  EXPECT_EQ(judge_memory(16, 12, 4).state, State::kGood);
  EXPECT_EQ(judge_memory(4, 3, 4).state, State::kNote);
  EXPECT_EQ(judge_memory(16, 1, 4).state, State::kProblem);
}

TEST(DoctorTest, AsJson) {
  const Finding finding{.what = "a", .state = State::kNote, .found = "b", .advice = "c"};
  EXPECT_EQ(to_json(finding).dump(), R"({"what":"a","state":"note","found":"b","advice":"c"})");
  EXPECT_EQ(to_json(Finding{.what = "a", .found = "b", .figures = {{"n", 1}}}).dump(),
            R"({"what":"a","state":"good","found":"b","figures":{"n":1}})");
}

TEST(DoctorTest, LooksAtTheWholeMachineWhateverItLacks) {
  const lathe::testing::TemporaryFolder empty;
  std::set<std::string> found;
  for (const Finding& finding : examine(
           {.seconds = 0.05, .threads = 1, .cache_dir = empty.path(), .folder = empty.path()})) {
    EXPECT_FALSE(finding.found.empty()) << finding.what;
    EXPECT_TRUE(found.insert(finding.what).second) << finding.what << " twice";
    if (finding.what == "cifar-10") {
      EXPECT_EQ(finding.state, State::kNote);
      EXPECT_EQ(finding.advice,
                "run scripts/get_cifar10.sh (" + (empty / "cifar-10").string() + ")");
    }
    if (finding.what == "training") {
      EXPECT_GT(finding.figures.at("images_per_s"), 0);
    }
  }
  for (const char* what :
       {"processor", "kernels", "clock", "memory", "disk", "LibTorch", "matrix product", "GPU",
        "several processes", "ONNX Runtime", "Node.js", "fashion-mnist", "training"}) {
    EXPECT_TRUE(found.contains(what)) << what;
  }
}

}  // namespace
}  // namespace lathe::run

// The runners of examples/runners with stand-ins for the programs that they call, which print what
// the real ones do.
#include <signal.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "apps/program.h"
#include "lathe/space/builtin_spaces.h"

namespace lathe::testing {
namespace {

const std::string kRunners = std::string(LATHE_EXAMPLES) + "/runners/";

/// Whether a process of that number is there, and not one that has ended unseen.
bool lives(int pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string number, name, state;
  return (stat >> number >> name >> state) && state != "Z";
}

template <typename Condition>
bool comes_true(const Condition& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

class ExampleRunnersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::system("python3 --version > /dev/null 2>&1") != 0) {
      GTEST_SKIP() << "needs python3 on PATH";
    }
    const auto space = space::make_space("mbv3_28");
    write_json(folder_ / "arch.json", space->to_json(space->smallest()));
    std::filesystem::create_directories(folder_ / "tmp");
    std::filesystem::create_directories(folder_ / "phone");
    path_before_ = std::getenv("PATH");
    ::setenv("PATH", (folder_.path().string() + ":" + path_before_).c_str(), 1);
    ::setenv("TMPDIR", (folder_ / "tmp").c_str(), 1);
    ::setenv("STAND_IN", folder_.path().c_str(), 1);
  }
  void TearDown() override {
    if (!path_before_.empty()) ::setenv("PATH", path_before_.c_str(), 1);
    ::unsetenv("TMPDIR");
  }

  void program(const std::string& name, const std::string& lines) const {
    const std::filesystem::path path = folder_ / name;
    std::ofstream(path) << "#!/bin/sh\n" << lines;
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }

  std::string benchmark(const std::string& command, const std::string& more = "") const {
    return "latency benchmark --space mbv3_28 --arch " + quoted((folder_ / "arch.json").string()) +
           " --json --sessions 2 --rounds 2 --runs 3 --warmup 2 --warmup-ms 0 --pause-ms 0 "
           "--retries 0 --runner command --protocol 2 --command " +
           quoted(command) + more;
  }

  /// What is there whose name begins so, in a folder of the test's.
  bool has(const std::string& where, const std::string& begin) const {
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / where)) {
      if (entry.path().filename().string().starts_with(begin)) return true;
    }
    return false;
  }

  TemporaryFolder folder_;
  std::string path_before_;
};

/// An engine is the time that its net takes: 0.1 ms. Times of the warm-up are listed too.
constexpr const char* kTrtexec = R"(
echo "$*" >> "$STAND_IN/asked"
echo "&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec $*"
for argument; do
  case $argument in
  --onnx=*) test -s "${argument#*=}" || exit 7;;
  --saveEngine=*) echo 0.1 > "${argument#*=}";;
  --loadEngine=*) ms=$(cat "${argument#*=}");;
  --exportTimes=*) times=${argument#*=};;
  --iterations=*) count=${argument#*=};;
  esac
done
echo "[11/26/2026-12:00:00] [I] === Device Information ==="
echo "[11/26/2026-12:00:00] [I] Selected Device: NVIDIA Imaginary 1"
if [ -e "$STAND_IN/hang" ]; then echo $$ > "$STAND_IN/running"; exec sleep 600; fi
if [ -n "$times" ]; then
  sleep $(awk "BEGIN { print 0.01 + $ms * $count / 1000 }")
  awk -v ms=$ms -v count=$count 'BEGIN {
    print "["
    for (i = -3; i < count; ++i) {
      start = 200 + i * ms
      printf "%s{ \"startEnqMs\" : %g, \"endEnqMs\" : %g, \"startH2dMs\" : %g, \"endH2dMs\" : %g, ", \
             (i > -3 ? ", " : "  "), start, start, start, start
      printf "\"startComputeMs\" : %g, \"endComputeMs\" : %g, \"startD2hMs\" : %g, ", \
             start, start + ms, start + ms
      printf "\"endD2hMs\" : %g, \"h2dMs\" : 0.01, \"computeMs\" : %g, \"d2hMs\" : 0.01, ", \
             start + ms, ms - 0.02
      printf "\"latencyMs\" : %g }\n", (i < 2 ? 9 : ms)
    }
    print "]" }' > "$times"
fi
echo "&&&& PASSED TensorRT.trtexec [TensorRT v8601] # trtexec $*"
)";

TEST_F(ExampleRunnersTest, TrtexecSaysWhatItMeasures) {
  program("trtexec", kTrtexec);
  const Outcome outcome = run_lathe(benchmark(kRunners + "trtexec.py --noTF32"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto report = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(report.at("conditions").at("device"), "NVIDIA Imaginary 1");
  EXPECT_EQ(report.at("conditions").at("runtime"), "TensorRT 8.6.1 --noTF32");
  EXPECT_DOUBLE_EQ(report.at("p50"), 0.1);
  const std::vector<std::string> asked = lines_of(read_file(folder_ / "asked"));
  EXPECT_EQ(asked[0].rfind("--onnx=", 0), 0U);
  EXPECT_EQ(asked[1].rfind("--loadEngine=", 0), 0U);
  for (const std::string& line : asked) {
    EXPECT_NE(line.find("--noTF32"), std::string::npos) << line;
    EXPECT_EQ(line.find("--shapes"), std::string::npos) << "one image: the shape is in the model";
  }
  EXPECT_TRUE(comes_true([&] { return !has("tmp", "lathe_"); }));

  const Outcome int8 = run_lathe(benchmark(kRunners + "trtexec.py", " --precision int8 --batch 4"));
  ASSERT_EQ(int8.exit_code, 0) << int8.err;
  const std::string last = lines_of(read_file(folder_ / "asked")).back();
  EXPECT_NE(last.find("--int8"), std::string::npos) << last;
  EXPECT_NE(last.find("--shapes=input:4x1x28x28"), std::string::npos) << last;
  EXPECT_EQ(nlohmann::json::parse(int8.out).at("conditions").at("precision"), "int8");
}

TEST_F(ExampleRunnersTest, TrtexecThatFailsIsQuoted) {
  program("trtexec", "echo '[E] Could not parse ONNX correctly' >&2; exit 1\n");
  const Outcome outcome = run_lathe(benchmark(kRunners + "trtexec.py"));
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("trtexec: exit status 1; its last words: [E] Could not parse ONNX "
                             "correctly"),
            std::string::npos)
      << outcome.err;
}

/// A phone is a folder; what runs on it goes on when adb is killed.
constexpr const char* kAdb = R"(
if [ "$1" = -s ]; then test "$2" = serial9 || exit 3; shift 2; fi
case $1 in
push) cp "$2" "$3"; echo "$2: 1 file pushed, 0 skipped.";;
shell) PATH=$STAND_IN/phone/bin:$PATH exec setsid -w sh -c "$2";;
esac
)";
constexpr const char* kGetprop = R"(
case $1 in
ro.product.manufacturer) echo Maker;;
ro.product.model) echo 'Phone 9';;
ro.soc.model) echo 'Chip 3';;
ro.build.version.release) echo 15;;
esac
)";
constexpr const char* kDumpsys = R"(
echo 'Current Battery Service state:'
echo '  level: 87'
echo '  temperature: 315'
)";
/// 1.5 ms a run, but for the first two.
constexpr const char* kPerfTest = R"(
echo "$*" >> "$STAND_IN/asked"
if [ -e "$STAND_IN/hang" ]; then echo $$ > "$STAND_IN/running"; exec sleep 600; fi
while [ $# -gt 2 ]; do if [ "$1" = -r ]; then count=$2; fi; shift; done
test -s "$1" || { echo 'Load model failed'; exit 1; }
sleep $(awk "BEGIN { print 0.01 + 0.0015 * $count }")
echo 'Session creation time cost: 0.169475 s'
echo 'Average inference time cost total: 1.500000 ms'
awk -v count=$count 'BEGIN {
  for (i = 0; i < count; ++i) print "lathe," (i < 2 ? 0.009 : 0.0015) ",12500000,98," i }' > "$2"
)";

class AdbTest : public ExampleRunnersTest {
 protected:
  void SetUp() override {
    ExampleRunnersTest::SetUp();
    std::filesystem::create_directories(folder_ / "phone/bin");
    program("adb", kAdb);
    program("phone/bin/getprop", kGetprop);
    program("phone/bin/dumpsys", kDumpsys);
    program("phone/onnxruntime_perf_test", kPerfTest);
  }
  std::string command() const {
    return kRunners + "adb.py --serial serial9 --on env " +
           (folder_ / "phone/onnxruntime_perf_test").string() + " -e xnnpack";
  }
};

TEST_F(AdbTest, MeasuresOnAPhone) {
  const Outcome outcome = run_lathe(benchmark(command()));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto report = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(report.at("conditions").at("device"), "Maker Phone 9 (Chip 3)");
  const std::string runtime = report.at("conditions").at("runtime");
  EXPECT_TRUE(runtime.starts_with("onnxruntime_perf_test ")) << runtime;
  EXPECT_TRUE(runtime.ends_with(" -e xnnpack env Android 15")) << runtime;
  EXPECT_DOUBLE_EQ(report.at("p50"), 1.5);
  const std::string asked = lines_of(read_file(folder_ / "asked")).back();
  EXPECT_NE(asked.find("-I -m times -r "), std::string::npos) << asked;
  EXPECT_NE(asked.find("-x 1 -e xnnpack "), std::string::npos) << asked;
  EXPECT_TRUE(comes_true([&] { return !has("phone", "lathe_"); }));
}

TEST_F(AdbTest, QuotesWhatFailsOnThePhone) {
  program("phone/onnxruntime_perf_test", "echo 'cannot open libonnxruntime.so'; exit 9\n");
  const Outcome outcome = run_lathe(benchmark(command()));
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("its last words: cannot open libonnxruntime.so"), std::string::npos)
      << outcome.err;
}

TEST_F(AdbTest, NothingIsLeftWhenLatheIsKilled) {
  write_file_atomic(folder_ / "hang", "");
  for (const int signal : {SIGINT, SIGKILL}) {
    std::filesystem::remove(folder_ / "running");
    const pid_t lathe = start_lathe(benchmark(command()));
    ASSERT_GT(lathe, 0);
    int running = 0;
    ASSERT_TRUE(comes_true([&] {
      std::ifstream file(folder_ / "running");
      return static_cast<bool>(file >> running);
    }));
    EXPECT_TRUE(has("phone", "lathe_"));
    ::kill(lathe, signal);
    ::waitpid(lathe, nullptr, 0);
    EXPECT_TRUE(comes_true([&] { return !lives(running) && !has("phone", "lathe_"); })) << signal;
  }
}

TEST_F(ExampleRunnersTest, NoEngineIsLeftWhenLatheIsKilled) {
  program("trtexec", kTrtexec);
  write_file_atomic(folder_ / "hang", "");
  const pid_t lathe = start_lathe(benchmark(kRunners + "trtexec.py"));
  ASSERT_GT(lathe, 0);
  int running = 0;
  ASSERT_TRUE(comes_true([&] {
    std::ifstream file(folder_ / "running");
    return static_cast<bool>(file >> running);
  }));
  ::kill(lathe, SIGKILL);
  ::waitpid(lathe, nullptr, 0);
  EXPECT_TRUE(comes_true([&] { return !lives(running) && !has("tmp", "lathe_trtexec_"); }));
}

}  // namespace
}  // namespace lathe::testing

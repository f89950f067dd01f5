#include "lathe/measure/runners/command_runner.h"

#include <gtest/gtest.h>

#include <fstream>
#include <stdexcept>
#include <string>

#include "core/temporary_folder.h"
#include "lathe/core/file.h"
#include "lathe/measure/random_net.h"
#include "space/tiny_spaces.h"

namespace lathe::measure {
namespace {

using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;

const std::string kGoodAnswer =
    R"({"device": "phone", "runtime": "test 1", "latencies_ms": [50, 60.5]})";

graph::Net small_net() {
  const auto space = space::make_mobile_space(testing::tiny_mobile());
  return random_net(space->graph(space->smallest()), 1);
}

/// Scripts for the shell as runners.
struct CommandRunnerTest : ::testing::Test {
  TemporaryFolder folder;

  /// A program that prints `answer` after `ms`, and keeps its request.
  std::string saying(const std::string& answer, int ms = 130) const {
    return script("cat > '" + request().string() + "'; sleep " + std::to_string(ms / 1000.0) +
                  "; echo '" + answer + "'");
  }
  std::string script(const std::string& lines) const {
    const std::filesystem::path path = folder / "runner.sh";
    std::ofstream(path) << lines << '\n';
    return "sh '" + path.string() + "'";
  }
  std::filesystem::path request() const { return folder / "request"; }

  CommandRunnerOptions options(const std::string& command) const {
    return {.command = command,
            .write_model =
                [](const graph::Net& net, const std::filesystem::path& path) {
                  write_file_atomic(path, std::to_string(net.graph.size()));
                },
            .retries = 0};
  }
  std::string failure_of(const std::string& command) const {
    const std::string prefix = "runner `" + command + "`: ";
    const std::string text =
        text_thrown<Error>([&] { CommandRunner(small_net(), options(command)); });
    EXPECT_EQ(text.rfind(prefix, 0), 0U) << text;
    return text.substr(std::min(text.size(), prefix.size()));
  }
};

TEST_F(CommandRunnerTest, TimesNetsTurnByTurn) {
  CommandRunner runner(small_net(), options(saying(kGoodAnswer)));
  EXPECT_EQ(runner.device(), "phone");
  EXPECT_EQ(runner.runtime(), "test 1");
  EXPECT_EQ(runner.precision(), "float32");
  const std::vector<graph::Net> nets{small_net(), small_net()};
  const auto timings =
      runner.time(nets, {.warmup_runs = 3, .rounds = 2, .runs_per_round = 7, .round_ms = 12.5});
  ASSERT_EQ(timings.size(), 2U);
  const std::vector<std::vector<double>> expected{{50, 60.5}, {50, 60.5}};
  EXPECT_EQ(timings[1].rounds_ms, expected);
  const nlohmann::json request = read_json(this->request());
  EXPECT_EQ(request.at("version"), 1);
  EXPECT_EQ(request.at("input_shape"), (std::vector<int>{1, 2, 12, 12}));
  EXPECT_EQ(request.at("batch"), 1);
  EXPECT_EQ(request.at("threads"), 1);
  EXPECT_EQ(request.at("warmup_runs"), 3);
  EXPECT_EQ(request.at("runs"), 7);
  EXPECT_EQ(request.at("max_ms"), 12.5);
}

TEST_F(CommandRunnerTest, TimesAModelThatIsAFile) {
  const std::filesystem::path model = folder / "some model.onnx";
  write_file_atomic(model, "onnx");
  CommandRunner runner(
      model, options(script("sleep 0.11; grep -q onnx \"$1\" && echo '" + kGoodAnswer + "'")));
  EXPECT_EQ(runner.time(model, {.rounds = 3}).rounds_ms.size(), 3U);
}

TEST_F(CommandRunnerTest, TriesAgain) {
  const std::string mark = (folder / "mark").string();
  CommandRunnerOptions twice =
      options(script("sleep 0.11; if rm '" + mark + "' 2> /dev/null; then exit 1; fi; touch '" +
                     mark + "'; echo '" + kGoodAnswer + "'"));
  twice.retries = 1;
  EXPECT_NO_THROW(CommandRunner(small_net(), twice));
}

TEST_F(CommandRunnerTest, RefusesGarbage) {
  EXPECT_EQ(failure_of(script("echo fast; echo 'no model' >&2")),
            "expected a last line of JSON with latencies_ms, got \"fast\" (1 attempts)");
  EXPECT_EQ(failure_of(script("echo '{}'")),
            "answer: \"device\": expected a string, got nothing (1 attempts)");
  EXPECT_EQ(failure_of(saying(R"({"device": "d", "runtime": "r", "latencies_ms": [1, 0]})", 0)),
            "answer: latencies_ms must be times > 0, at least one (1 attempts)");
  EXPECT_EQ(failure_of(saying(R"({"device": "d", "runtime": "r", "latencies_ms": []})", 0)),
            "answer: latencies_ms must be times > 0, at least one (1 attempts)");
  EXPECT_EQ(failure_of(saying(R"({"device": "d", "runtime": "r", "latencies_ms": [null]})", 0)),
            "answer: \"latencies_ms\": expected a list, each item a number, got null (1 attempts)");
}

TEST_F(CommandRunnerTest, SaysHowAProgramDied) {
  EXPECT_EQ(failure_of(script("echo one >&2; echo 'out of memory' >&2; exit 4")),
            "exit status 4; its last words: out of memory (1 attempts)");
  // Some shells add how it ended.
  EXPECT_EQ(failure_of(script("kill -SEGV $$")).substr(0, 15), "exit status 139");
  CommandRunnerOptions patient = options(script("exit 1"));
  patient.retries = 2;
  EXPECT_NE(text_thrown<Error>([&] { CommandRunner(small_net(), patient); }).find("(3 attempts)"),
            std::string::npos);
}

TEST_F(CommandRunnerTest, DoesNotWaitForAProgramThatHangs) {
  CommandRunnerOptions hasty = options(script("sleep 100"));
  hasty.timeout_s = 1;
  EXPECT_EQ(text_thrown<Error>([&] { CommandRunner(small_net(), hasty); }),
            "runner `" + hasty.command + "`: no answer within 1 s (1 attempts)");
}

TEST_F(CommandRunnerTest, NoticesSecondsForMilliseconds) {
  // Takes 20 ms a run and says 0.02.
  const std::string seconds = script(
      "runs=$(sed 's/.*\"runs\":\\([0-9]*\\).*/\\1/'); i=0; times=\n"
      "while [ $i -lt $runs ]; do sleep 0.02; times=\"$times,0.02\"; i=$((i+1)); done\n"
      "echo "
      "\"{\\\"device\\\":\\\"d\\\",\\\"runtime\\\":\\\"r\\\",\\\"latencies_ms\\\":[${times#,}]}\"");
  const std::string text = failure_of(seconds);
  EXPECT_EQ(text.rfind("states ", 0), 0U) << text;
  EXPECT_NE(text.find("; latencies_ms must be milliseconds, not seconds"), std::string::npos)
      << text;
}

TEST_F(CommandRunnerTest, NoticesMoreTimeThanThereWas) {
  const std::string text =
      failure_of(saying(R"({"device": "d", "runtime": "r", "latencies_ms": [50000, 60000]})", 0));
  EXPECT_EQ(text.rfind("states 110000.00 ms in a call that took ", 0), 0U) << text;
}

TEST_F(CommandRunnerTest, SaysInWhichNumbersItsModelsAre) {
  CommandRunnerOptions o = options(saying(kGoodAnswer));
  EXPECT_EQ(CommandRunner(small_net(), o).precision(), "float32");
  EXPECT_EQ(read_json(request()).at("precision"), "float32");
  o.precision = "int8";
  EXPECT_EQ(CommandRunner(small_net(), o).precision(), "int8");
  EXPECT_EQ(read_json(request()).at("precision"), "int8");
  // A program that makes its own of what it gets.
  o.command = saying(
      R"({"device": "phone", "runtime": "test 1", "precision": "float16", "latencies_ms": [50, 60]})");
  EXPECT_EQ(
      text_thrown<Error>([&] { CommandRunner(small_net(), o); }),
      "runner `" + o.command + "`: computes in float16 where its models are int8 (1 attempts)");
  o.precision = "float32";
  EXPECT_EQ(CommandRunner(small_net(), o).precision(), "float16");
}

TEST_F(CommandRunnerTest, RefusesAnotherDeviceHalfWay) {
  const std::string command = saying(kGoodAnswer);
  CommandRunner runner(small_net(), options(command));
  saying(R"({"device": "tablet", "runtime": "test 1", "latencies_ms": [50, 60.5]})");
  const graph::Net net = small_net();
  EXPECT_EQ(
      text_thrown<Error>([&] {
        runner.time({&net, 1}, {});
      }),
      "runner `" + command + "`: was phone, test 1, float32, and is now tablet, test 1, float32");
}

/// Programs that stay: `time` is what they answer when asked for times.
struct StayingRunnerTest : CommandRunnerTest {
  /// Answers to hello, load and unload, and `time`, a line of shell, to time; all that it is asked
  /// goes to a file.
  std::string staying(const std::string& time) const {
    return script("while read -r line; do echo \"$line\" >> '" + request().string() +
                  "'\n"
                  "  id=${line##*\\\"id\\\":}; id=${id%\\}}\n"
                  "  case $line in\n"
                  "  *hello*) echo \"{\\\"id\\\": $id, \\\"device\\\": \\\"phone\\\", "
                  "\\\"runtime\\\": \\\"test 2\\\"}\";;\n"
                  "  *warmup*) " +
                  time +
                  ";;\n"
                  "  *) echo 'loading the library'; echo \"{\\\"id\\\": $id}\";;\n"
                  "  esac\ndone");
  }
  static std::string times() {
    return "sleep 0.11; echo \"{\\\"id\\\": $id, \\\"latencies_ms\\\": [50, 60.5]}\"";
  }
  CommandRunnerOptions options(const std::string& command) const {
    CommandRunnerOptions o = CommandRunnerTest::options(command);
    o.protocol = 2;
    return o;
  }
  std::vector<nlohmann::json> requests() const { return JsonLines(request()).read(); }
};

TEST_F(StayingRunnerTest, IsStartedOnceAndLoadsEachNetOnce) {
  CommandRunner runner(small_net(), options(staying(times())));
  EXPECT_EQ(runner.device(), "phone");
  EXPECT_EQ(runner.runtime(), "test 2");
  EXPECT_EQ(runner.precision(), "float32");
  const std::size_t probing = requests().size();
  const std::vector<graph::Net> nets{small_net(), small_net()};
  const auto timings =
      runner.time(nets, {.warmup_runs = 3, .rounds = 2, .runs_per_round = 7, .round_ms = 12.5});
  const std::vector<std::vector<double>> expected{{50, 60.5}, {50, 60.5}};
  EXPECT_EQ(timings[1].rounds_ms, expected);
  std::vector<std::string> asked;
  std::vector<int> warmups;
  const auto all = requests();
  EXPECT_EQ(all[0].at("request"), "hello");
  EXPECT_EQ(all[0].at("version"), 2);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].at("id"), static_cast<int>(i) + 1);
    if (i < probing) continue;
    asked.push_back(all[i].at("request"));
    if (asked.back() == "time") warmups.push_back(all[i].at("warmup_runs"));
    if (asked.back() == "load") {
      EXPECT_EQ(all[i].at("input_shape"), (std::vector<int>{1, 2, 12, 12}));
    }
  }
  EXPECT_EQ(asked, (std::vector<std::string>{"load", "time", "load", "time", "time", "time",
                                             "unload", "unload"}));
  EXPECT_EQ(warmups, (std::vector<int>{3, 3, 1, 1}));
}

TEST_F(StayingRunnerTest, IsStartedAnewWhenItIsRenewed) {
  CommandRunner runner(small_net(), options(staying(times())));
  const graph::Net net = small_net();
  const auto hellos = [&] {
    const auto all = requests();
    return std::ranges::count_if(all, [](const auto& r) { return r.at("request") == "hello"; });
  };
  runner.time({&net, 1}, {.rounds = 1});
  EXPECT_EQ(hellos(), 1);
  runner.renew();
  EXPECT_EQ(hellos(), 1) << "not before there is something to time";
  runner.time({&net, 1}, {.rounds = 1});
  runner.time({&net, 1}, {.rounds = 1});
  EXPECT_EQ(hellos(), 2);
}

TEST_F(StayingRunnerTest, IsStartedAgainAfterItDied) {
  const std::string mark = (folder / "mark").string();
  CommandRunnerOptions o =
      options(staying("if rm '" + mark + "' 2> /dev/null; then exit 9; fi; " + times()));
  o.retries = 1;
  CommandRunner runner(small_net(), o);
  write_file_atomic(mark, "");
  const graph::Net net = small_net();
  EXPECT_EQ(runner.time({&net, 1}, {.rounds = 2}).front().rounds_ms.size(), 2U);
  write_file_atomic(mark, "");
  o.retries = 0;
  EXPECT_EQ(text_thrown<Error>([&] { CommandRunner(small_net(), o); }),
            "runner `" + o.command + "`: ended with exit status 9 (1 attempts)");
}

TEST_F(StayingRunnerTest, RefusesWhatIsNoAnswer) {
  const auto failure = [&](const std::string& time, double timeout_s = 10) {
    CommandRunnerOptions o = options(staying(time));
    o.timeout_s = timeout_s;
    const std::string prefix = "runner `" + o.command + "`: ";
    return text_thrown<Error>([&] { CommandRunner(small_net(), o); }).substr(prefix.size());
  };
  const auto json = [](const std::string& members) {
    return "echo \"{\\\"id\\\": $id, " + members + "}\"";
  };
  EXPECT_EQ(failure("echo \"{\\\"id\\\": 1, \\\"latencies_ms\\\": [1, 1]}\""),
            "answers request 1 where 3 was asked (1 attempts)");
  EXPECT_EQ(failure(json("\\\"error\\\": \\\"unsupported operator\\\"")),
            "unsupported operator (1 attempts)");
  EXPECT_EQ(failure(json("\\\"latencies_ms\\\": []")),
            "answer: latencies_ms must be times > 0, at least one (1 attempts)");
  EXPECT_EQ(failure(json("\\\"latencies_ms\\\": [90000]")).rfind("states 90000.00 ms in", 0), 0U);
  EXPECT_EQ(failure("echo fast", 0.5), "no answer within 0 s (1 attempts)");
  EXPECT_EQ(failure("cat /dev/zero", 60).rfind("prints a line without end", 0), 0U);
}

TEST_F(StayingRunnerTest, RefusesAnotherDeviceHalfWay) {
  const std::string mark = (folder / "mark").string();
  const std::string command =
      staying("if [ -e '" + mark +
              "' ]; then echo \"{\\\"id\\\": $id, \\\"device\\\": \\\"tablet\\\", "
              "\\\"latencies_ms\\\": [0.1]}\"; else " +
              times() + "; fi");
  CommandRunner runner(small_net(), options(command));
  write_file_atomic(mark, "");
  const graph::Net net = small_net();
  EXPECT_EQ(
      text_thrown<Error>([&] {
        runner.time({&net, 1}, {});
      }),
      "runner `" + command + "`: was phone, test 2, float32, and is now tablet, test 2, float32");
}

TEST_F(CommandRunnerTest, RefusesOptionsThatAreNone) {
  const auto text = [&](auto change) {
    CommandRunnerOptions bad = options("true");
    change(bad);
    return text_thrown<std::invalid_argument>([&] { CommandRunner(small_net(), bad); });
  };
  EXPECT_EQ(text([](auto& o) { o.command.clear(); }),
            "[measure::CommandRunner] command must not be empty");
  EXPECT_EQ(text([](auto& o) { o.protocol = 3; }),
            "[measure::CommandRunner] protocol must be 1 or 2, got 3");
  EXPECT_EQ(text([](auto& o) { o.batch = 0; }),
            "[measure::CommandRunner] threads and batch must be > 0, got 1 and 0");
  EXPECT_EQ(text([](auto& o) { o.timeout_s = 0; }),
            "[measure::CommandRunner] timeout_s must be > 0, got 0.000000");
  EXPECT_EQ(text([](auto& o) { o.retries = -1; }),
            "[measure::CommandRunner] retries must be >= 0, got -1");
  EXPECT_EQ(text([](auto& o) { o.write_model = nullptr; }),
            "[measure::CommandRunner] write_model is missing");
}

}  // namespace
}  // namespace lathe::measure

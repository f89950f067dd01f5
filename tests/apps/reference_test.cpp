// The reference in its four forms, beside what the program says of itself with --help.
#include <algorithm>
#include <cstdlib>
#include <regex>
#include <set>
#include <sstream>

#include "program.h"

namespace lathe {
namespace {

using testing::lines_of;
using testing::quoted;
using testing::run_lathe;

std::string output_of(const std::string& arguments) {
  const testing::Outcome outcome = run_lathe(arguments);
  EXPECT_EQ(outcome.exit_code, 0) << arguments << ": " << outcome.err;
  return outcome.out;
}

bool shell(const std::string& command) { return std::system(command.c_str()) == 0; }

bool has_program(const std::string& name) {
  return shell("command -v " + name + " > /dev/null 2>&1");
}

/// Of a command, as its --help has them.
struct Help {
  std::set<std::string> commands;
  std::set<std::string> spellings;  ///< of options, with their dashes
};

Help help_of(const std::string& command) {
  Help help;
  bool commands = false;
  const std::regex option("  (-[-a-z0-9,]+).*");
  const std::regex name("  ([a-z][-a-z]*) .*");
  std::smatch match;
  for (const std::string& line : lines_of(output_of(command + " --help"))) {
    commands |= line == "Subcommands:";
    if (commands && std::regex_match(line, match, name)) {
      help.commands.insert(match[1]);
    } else if (std::regex_match(line, match, option)) {
      std::istringstream names(match[1]);
      for (std::string spelling; std::getline(names, spelling, ',');) {
        help.spellings.insert(spelling);
      }
    }
  }
  return help;
}

/// The part of `text` from the line `begin` up to a line that begins with `end`.
std::string part(const std::string& text, const std::string& begin, const std::string& end) {
  const std::size_t first = text.find("\n" + begin + "\n");
  if (first == std::string::npos) {
    return {};
  }
  return text.substr(first, text.find("\n" + end, first + 1) - first);
}

std::string dashes_escaped(const std::string& text) {
  return std::regex_replace(text, std::regex("-"), "\\-");
}

class ReferenceTest : public ::testing::Test {
 protected:
  /// Expects `command`, empty for the whole program, and all below it in each form.
  void expect_all(const std::string& command) {
    const Help help = help_of(command);
    const std::string full = command.empty() ? "lathe" : "lathe " + command;
    const std::string section = part(markdown_, "## " + full, "## ");
    const std::string page = std::regex_replace(full, std::regex(" "), "-") + ".1";
    ASSERT_TRUE(std::filesystem::exists(folder_ / page)) << page;
    const std::string man = read_file(folder_ / page);
    const std::string zsh =
        part(zsh_, "_" + std::regex_replace(full, std::regex(" "), "_") + "() {", "}");
    std::smatch words;
    ASSERT_TRUE(std::regex_search(bash_, words, std::regex("\"" + full + "\"\\) echo \"([^\"]*)")));
    const std::string bash = " " + words[1].str() + " ";
    EXPECT_GT(help.spellings.size(), 1U) << full;
    for (const std::string& spelling : help.spellings) {
      EXPECT_NE(section.find("`" + spelling + "`"), std::string::npos) << full << spelling;
      EXPECT_NE(man.find("\\fB" + dashes_escaped(spelling) + "\\fR"), std::string::npos)
          << full << spelling;
      EXPECT_NE(bash.find(" " + spelling + " "), std::string::npos) << full << spelling;
      EXPECT_NE(zsh.find(spelling + "["), std::string::npos) << full << spelling;
      ++options_;
    }
    for (const std::string& below : help.commands) {
      EXPECT_NE(bash.find(" " + below + " "), std::string::npos) << full << below;
      EXPECT_NE(zsh.find("'" + below + ":"), std::string::npos) << full << below;
      expect_all(command.empty() ? below : command + " " + below);
    }
    ++commands_;
  }

  void SetUp() override {
    output_of("reference --format man --out " + quoted(folder_.path().string()));
  }

  testing::TemporaryFolder folder_;
  const std::string markdown_ = output_of("reference");
  const std::string bash_ = output_of("reference --format bash");
  const std::string zsh_ = output_of("reference --format zsh");
  int options_ = 0;
  int commands_ = 0;
};

TEST_F(ReferenceTest, HasEveryOptionOfEveryCommand) {
  expect_all("");
  EXPECT_GT(commands_, 25);
  EXPECT_GT(options_, 400);
}

TEST_F(ReferenceTest, SaysWhatTheParserKnows) {
  EXPECT_NE(markdown_.find("| `--optimizer` | `sgd`, `rmsprop`, `adam`, `adamw` | `sgd` |"),
            std::string::npos);
  EXPECT_NE(markdown_.find("| `--cells` | INT, 1 to 999 |  | of a cell net |"), std::string::npos);
  EXPECT_NE(markdown_.find("(exactly one of --blocks, --samples)"), std::string::npos);
  EXPECT_NE(markdown_.find("(needs --space)"), std::string::npos);
  EXPECT_EQ(output_of("reference --format man --command 'latency fit'"),
            read_file(folder_ / "lathe-latency-fit.1"));
  testing::expect_failure(run_lathe("reference --format man --command latncy"), 2,
                          "--command: unknown command \"latncy\": did you mean \"latency\"?"
                          " (see lathe --help)");
}

TEST_F(ReferenceTest, ManualPagesAreWithoutWarnings) {
  if (!has_program("groff")) {
    GTEST_SKIP() << "needs groff";
  }
  const std::string warnings = (folder_ / "warnings").string();
  for (const auto& page : std::filesystem::directory_iterator(folder_.path())) {
    if (page.path().extension() == ".1") {
      EXPECT_TRUE(shell("groff -man -ww -z -Tutf8 " + quoted(page.path().string()) + " 2> " +
                        quoted(warnings)));
      EXPECT_EQ(read_file(warnings), "") << page.path();
    }
  }
}

/// What bash offers after `words`, the last of which is being typed.
std::vector<std::string> completed(const std::string& script, const std::string& words) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder / "lathe.bash", script);
  write_file_atomic(folder / "ask.bash",
                    "set -u\nsource '" + (folder / "lathe.bash").string() + "'\n" + "COMP_WORDS=(" +
                        words + ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n" +
                        "$(complete -p lathe | sed 's/.*-F \\([^ ]*\\).*/\\1/')\n" +
                        "printf '%s\\n' ${COMPREPLY[@]+\"${COMPREPLY[@]}\"} > '" +
                        (folder / "answer").string() + "'\n");
  EXPECT_TRUE(shell("bash " + quoted((folder / "ask.bash").string())));
  std::vector<std::string> lines = lines_of(read_file(folder / "answer"));
  return lines == std::vector<std::string>{""} ? std::vector<std::string>{} : lines;
}

TEST_F(ReferenceTest, BashCompletes) {
  if (!has_program("bash")) {
    GTEST_SKIP() << "needs bash";
  }
  using Words = std::vector<std::string>;
  const auto offered = [&](const std::string& words) { return completed(bash_, words); };
  EXPECT_EQ(offered("lathe sp"), (Words{"spaces", "specialize"}));
  EXPECT_EQ(offered("lathe latency me"), Words{"merge"});
  EXPECT_EQ(offered("lathe --config options.toml tr"), Words{"train"});
  EXPECT_EQ(offered("lathe run --seed 3 --res"), Words{"--resume"});
  EXPECT_EQ(offered("lathe run --resume --op"), Words{"--optimizer"}) << "a flag takes nothing";
  EXPECT_EQ(offered("lathe run --optimizer ad"), (Words{"adam", "adamw"}));
  EXPECT_EQ(offered("lathe run --optimizer = ad"), (Words{"adam", "adamw"}));
  EXPECT_EQ(offered("lathe run --optimizer ="), (Words{"sgd", "rmsprop", "adam", "adamw"}));
  EXPECT_EQ(offered("lathe search --compare pareto,la"), Words{"pareto,lagrangian"});
  EXPECT_EQ(offered("lathe run --runner o"), Words{"onnxruntime"});
  // Bash itself offers files where this offers nothing.
  EXPECT_EQ(offered("lathe run --out r"), Words{});
  EXPECT_EQ(offered("lathe run --config r"), Words{});
  EXPECT_EQ(offered("lathe run --threads ''"), Words{});
  EXPECT_EQ(offered("lathe report ''"), Words{});
  EXPECT_EQ(offered("lathe report --o"), Words{"--out"});
  EXPECT_NE(bash_.find("\ncomplete -o default -F "), std::string::npos);
}

TEST_F(ReferenceTest, ZshCompletes) {
  if (!has_program("zsh")) {
    GTEST_SKIP() << "needs zsh";
  }
  // zsh's own functions are replaced by ones that say what they are asked.
  write_file_atomic(folder_ / "_lathe", zsh_);
  write_file_atomic(folder_ / "ask.zsh",
                    "_arguments() { printf '%s\\n' \"$@\"; state=rest; line=(latency); }\n"
                    "_describe() { :; }\n"
                    "source " +
                        quoted((folder_ / "_lathe").string()) + "\n");
  const std::string answer = (folder_ / "answer").string();
  EXPECT_TRUE(shell("zsh -n " + quoted((folder_ / "_lathe").string())));
  EXPECT_TRUE(
      shell("zsh -f " + quoted((folder_ / "ask.zsh").string()) + " > " + quoted(answer) + " 2>&1"));
  const std::vector<std::string> lines = lines_of(read_file(answer));
  EXPECT_NE(std::ranges::find(lines,
                              "--config[TOML file with any of the options below, "
                              "\\[command\\] by command]:FILE:_files"),
            lines.end());
  EXPECT_EQ(std::ranges::count(lines, "1:command:->command"), 2) << "of lathe and of lathe latency";
}

}  // namespace
}  // namespace lathe

#include "lathe/core/file.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <functional>

#include "core/temporary_folder.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::TemporaryFolder;
using testing::text_thrown;

bool write_to(const char* path, const std::string& text) {
  std::FILE* file = std::fopen(path, "w");
  if (file == nullptr) return false;
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return std::fclose(file) == 0 && written;
}

/// Runs `body` in a child process, whose limits and mounts are its own; its text is in `result`.
/// Returns the exit code.
int in_child(const fs::path& result, const std::function<std::string()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 0;
    try {
      const std::string text = body();
      if (!write_to(result.c_str(), text)) code = 8;
    } catch (...) {
      code = 9;
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/// Mounts a disk of 64 KiB that only this process sees, with its own rights or as the root of a
/// user namespace; false where neither is allowed.
bool mount_small_disk(const fs::path& folder) {
  if (::unshare(CLONE_NEWNS) != 0) {
    const std::string uid = std::to_string(::getuid()), gid = std::to_string(::getgid());
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0 || !write_to("/proc/self/setgroups", "deny") ||
        !write_to("/proc/self/uid_map", "0 " + uid + " 1") ||
        !write_to("/proc/self/gid_map", "0 " + gid + " 1")) {
      return false;
    }
  }
  ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  return ::mount("none", folder.c_str(), "tmpfs", 0, "size=64k") == 0;
}

TEST(WriteFileAtomic, RoundTripsAndMakesFolders) {
  const TemporaryFolder folder;
  const fs::path path = folder / "a" / "b" / "c.bin";
  const std::string bytes("x\0y\n", 4);
  write_file_atomic(path, bytes);
  EXPECT_EQ(read_file(path), bytes);
  write_file_atomic(path, "");
  EXPECT_EQ(read_file(path), "");
  EXPECT_EQ(std::distance(fs::directory_iterator(path.parent_path()), fs::directory_iterator()), 1);
}

TEST(WriteFileAtomic, ReplacesWhatACrashedProcessLeft) {
  const TemporaryFolder folder;
  const std::string left = "f.tmp." + std::to_string(::getpid());
  write_file_atomic(folder / left, "left behind");
  write_file_atomic(folder / "f", "new");
  EXPECT_EQ(read_file(folder / "f"), "new");
  EXPECT_EQ(folder.count(), 1);
}

TEST(WriteFileAtomic, NamesThePathAndTheReason) {
  const TemporaryFolder folder;
  write_file_atomic(folder / "file", "1");
  const fs::path below_file = folder / "file" / "x";
  EXPECT_EQ(text_thrown<Error>([&] { write_file_atomic(below_file, "2"); }),
            below_file.string() + ": cannot write: Not a directory");
  fs::create_directories(folder / "taken" / "inside");
  EXPECT_EQ(text_thrown<Error>([&] { write_file_atomic(folder / "taken", "2"); }),
            (folder / "taken").string() + ": cannot write: Is a directory");
  EXPECT_EQ(folder.count(), 2);
}

TEST(WriteFileAtomic, KeepsTheOldFileWhenTheNewOneDoesNotFit) {
  const TemporaryFolder folder;
  const TemporaryFolder results;
  const fs::path path = folder / "checkpoint";
  write_file_atomic(path, "old");
  const int code = in_child(results / "text", [&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    return text_thrown<Error>([&] { write_file_atomic(path, std::string(5000, 'n')); });
  });
  ASSERT_EQ(code, 0);
  EXPECT_EQ(read_file(results / "text"), path.string() + ": cannot write: File too large");
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(folder.count(), 1);
}

TEST(WriteFileAtomic, KeepsTheOldFileOnAFullDisk) {
  const TemporaryFolder folder;
  const TemporaryFolder results;
  const fs::path path = folder / "checkpoint";
  const int code = in_child(results / "text", [&]() -> std::string {
    if (!mount_small_disk(folder.path())) return "skip";
    write_file_atomic(path, std::string(1000, 'o'));
    const auto write = [&] { write_file_atomic(path, std::string(200000, 'n')); };
    const std::string text = text_thrown<Error>(write);
    if (read_file(path) != std::string(1000, 'o')) return "the old file is damaged";
    if (folder.count() != 1) return "something is left beside the file";
    return text;
  });
  ASSERT_EQ(code, 0);
  const std::string text = read_file(results / "text");
  if (text == "skip") GTEST_SKIP() << "needs the right to mount a tmpfs";
  EXPECT_EQ(text, path.string() + ": cannot write: No space left on device");
}

TEST(ReadFile, NamesTheMissingFile) {
  EXPECT_EQ(text_thrown<Error>([] { read_file("/no/such/file"); }),
            "/no/such/file: cannot read: No such file or directory");
  EXPECT_EQ(text_thrown<Error>([] { read_file("/"); }), "/: cannot read: Is a directory");
}

TEST(Json, RoundTripsInTheOrderGiven) {
  const TemporaryFolder folder;
  nlohmann::ordered_json value;
  value["z"] = 1.5;
  value["a"] = {1, 2};
  value["name"] = "not \xff UTF-8";
  write_json(folder / "v.json", value);
  const std::string text = read_file(folder / "v.json");
  EXPECT_LT(text.find("\"z\""), text.find("\"a\""));
  EXPECT_EQ(text.back(), '\n');
  EXPECT_EQ(read_json(folder / "v.json").at("a").at(1), 2);
}

TEST(Json, SaysWhereItIsNotJson) {
  EXPECT_EQ(text_thrown<Error>([] { parse_json("{\n  \"a\": x}", "f.json"); }),
            "f.json: not valid JSON at line 2, column 8");
  EXPECT_EQ(text_thrown<Error>([] { parse_json("", "f.json"); }),
            "f.json: not valid JSON at line 1, column 1");
  EXPECT_EQ(text_thrown<Error>([] { parse_json("1e999", "f"); }),
            "f: not valid JSON: a number is out of range");
  EXPECT_EQ(text_thrown<Error>([] { parse_json(std::string(1000000, '['), "f"); }),
            "f: JSON nested deeper than 200");
  EXPECT_EQ(parse_json(std::string(200, '[') + std::string(200, ']'), "f").size(), 1u);
}

TEST(JsonMember, GivesTheValueOrSaysWhatIsWrong) {
  const json object = parse_json(
      R"({"i": -3, "big": 4294967296, "f": 1.5, "s": "x", "b": true, "l": [1, 2.5], "o": {}})",
      "f");
  EXPECT_EQ(json_member<int>(object, "i", "f"), -3);
  EXPECT_EQ(json_member<double>(object, "i", "f"), -3.0);
  EXPECT_EQ(json_member<std::int64_t>(object, "big", "f"), 4294967296);
  EXPECT_TRUE(json_member<bool>(object, "b", "f"));
  EXPECT_EQ(json_member<std::vector<double>>(object, "l", "f"), (std::vector<double>{1, 2.5}));
  EXPECT_EQ(json_member<json>(object, "o", "f"), json::object());
  const auto text_of = [&]<typename T>(T, const std::string& key) {
    return text_thrown<Error>([&] { json_member<T>(object, key, "f"); });
  };
  EXPECT_EQ(text_of(std::string(), "no"), "f: \"no\": expected a string, got nothing");
  EXPECT_EQ(text_of(std::string(), "i"), "f: \"i\": expected a string, got -3");
  const std::string an_int = "expected an integer in [-2147483648, 2147483647], got ";
  EXPECT_EQ(text_of(int(), "big"), "f: \"big\": " + an_int + "4294967296");
  EXPECT_EQ(text_of(int(), "f"), "f: \"f\": " + an_int + "1.5");
  EXPECT_EQ(text_of(int(), "b"), "f: \"b\": " + an_int + "true");
  EXPECT_EQ(text_of(std::uint8_t(), "i"), "f: \"i\": expected an integer in [0, 255], got -3");
  EXPECT_EQ(
      text_of(std::vector<int>(), "l"),
      "f: \"l\": expected a list, each item an integer in [-2147483648, 2147483647], got 2.5");
  EXPECT_EQ(text_of(std::vector<int>(), "o"),
            "f: \"o\": expected a list, each item an integer in [-2147483648, 2147483647], got an "
            "object");
  EXPECT_EQ(text_thrown<Error>([] { json_member<bool>(json::array(), "k", "f"); }),
            "f: \"k\": expected true or false in an object, got a list");
}

TEST(FileLock, KeepsOthersAwayUntilItIsGone) {
  const TemporaryFolder folder;
  const auto lock_again = [](const std::filesystem::path& path) {
    return text_thrown<Error>([&] { const FileLock lock(path); });
  };
  for (const std::filesystem::path& path : {folder / "new" / "samples.jsonl", folder.path()}) {
    {
      const FileLock lock(path);
      EXPECT_EQ(lock_again(path), path.string() +
                                      ": another process is writing it; wait for that, or name "
                                      "another");
      write_file_atomic(folder / "beside", "a folder's files can be written");
    }
    const FileLock lock(path);
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "new" / "samples.jsonl"));  // nothing was written
  {
    const FileLock lock(folder / "kept");
    JsonLines(folder / "kept").append(1);
  }
  EXPECT_EQ(JsonLines(folder / "kept").read().size(), 1U);
}

TEST(PositiveJsonMember, RefusesZeroAndLess) {
  const nlohmann::json object{{"a", 3}, {"b", 0}, {"c", -2}};
  EXPECT_EQ(positive_json_member<int>(object, "a", "f"), 3);
  EXPECT_EQ(text_thrown<Error>([&] { positive_json_member<int>(object, "b", "f"); }),
            "f: \"b\": must be > 0, got 0");
  EXPECT_EQ(text_thrown<Error>([&] { positive_json_member<int>(object, "c", "f"); }),
            "f: \"c\": must be > 0, got -2");
}

TEST(JsonDifference, NamesTheFirstMemberThatIsAnother) {
  const nlohmann::ordered_json a{{"x", 1}, {"y", "b"}, {"z", 2}};
  EXPECT_EQ(json_difference(a, a), std::nullopt);
  EXPECT_EQ(json_difference(a, {{"z", 3}, {"y", "c"}, {"x", 1}}), "y: \"b\" against \"c\"");
  EXPECT_EQ(json_difference(a, {{"x", 1}}), "y: \"b\" against null");
}

TEST(AppendToFile, AddsAtTheEndAndMakesWhatIsMissing) {
  const TemporaryFolder folder;
  append_to_file(folder / "new/a", "one");
  append_to_file(folder / "new/a", "two");
  EXPECT_EQ(read_file(folder / "new/a"), "onetwo");
  EXPECT_EQ(text_thrown<Error>([] { append_to_file("/dev/full", "x"); }),
            "/dev/full: cannot write: No space left on device");
}

TEST(JsonLines, AppendsAndReads) {
  const TemporaryFolder folder;
  JsonLines lines(folder / "runs" / "m.jsonl");
  EXPECT_TRUE(lines.read().empty());
  lines.append({{"step", 1}});
  lines.append({{"step", 2}});
  const std::vector<json> values = lines.read();
  ASSERT_EQ(values.size(), 2u);
  EXPECT_EQ(values[1].at("step"), 2);
}

TEST(JsonLines, DropsATornLastLine) {
  const TemporaryFolder folder;
  const fs::path path = folder / "m.jsonl";
  for (const std::string& torn : {std::string("{\"step\": 2, \"lo"), std::string(10000, 'x')}) {
    write_file_atomic(path, "{\"step\":1}\n" + torn);
    EXPECT_EQ(JsonLines(path).read().size(), 1u);
    JsonLines(path).append({{"step", 3}});
    EXPECT_EQ(read_file(path), "{\"step\":1}\n{\"step\":3}\n");
  }
  write_file_atomic(path, "torn first");
  JsonLines(path).append({{"step", 4}});
  EXPECT_EQ(read_file(path), "{\"step\":4}\n");
}

TEST(JsonLines, NamesFileAndLine) {
  const TemporaryFolder folder;
  write_file_atomic(folder / "m.jsonl", "{}\nnonsense\n");
  EXPECT_EQ(text_thrown<Error>([&] { JsonLines(folder / "m.jsonl").read(); }),
            (folder / "m.jsonl").string() + ":2: not valid JSON at line 1, column 2");
  EXPECT_EQ(text_thrown<Error>([] { JsonLines("/dev/full").append({1}); }),
            "/dev/full: cannot write: No space left on device");
}

TEST(JsonLines, DoesNotBeginAnewAFileThatWasRemoved) {
  const TemporaryFolder folder;
  const fs::path path = folder / "runs/lines.jsonl";
  JsonLines lines(path);
  lines.append({1});
  fs::remove_all(path.parent_path());
  EXPECT_EQ(text_thrown<Error>([&] { lines.append({2}); }),
            path.string() + ": cannot write: No such file or directory");
  EXPECT_FALSE(fs::exists(path.parent_path()));
}

TEST(JsonLines, LeavesTheFileAsItWasWhenALineDoesNotFit) {
  const TemporaryFolder folder;
  const TemporaryFolder results;
  const fs::path path = folder / "m.jsonl";
  JsonLines lines(path);
  lines.append({{"step", 1}});
  const int code = in_child(results / "text", [&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100, 100};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    return text_thrown<Error>([&] { lines.append({{"text", std::string(500, 'x')}}); });
  });
  ASSERT_EQ(code, 0);
  EXPECT_EQ(read_file(results / "text"), path.string() + ": cannot write: File too large");
  EXPECT_EQ(read_file(path), "{\"step\":1}\n");
}

}  // namespace
}  // namespace lathe

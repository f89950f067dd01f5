#include "lathe/latency/models/ofa_table_file.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <system_error>

#include "lathe/core/error.h"
#include "lathe/core/file.h"

namespace lathe::latency {
namespace {

constexpr std::uintmax_t kLargestFile = std::uintmax_t{4} << 20;  // published: half a MiB
constexpr double kLongestMs = 1e9;

/// A text from the file as one short line, whatever it holds.
std::string quoted(const std::string& text) {
  using nlohmann::json;
  return json(text.substr(0, 120)).dump(-1, ' ', false, json::error_handler_t::replace);
}

/// YAML's own messages may quote a character of the text.
std::string printable(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

/// Expects a map of maps of scalars and keeps the rows' means.
class TableReader final : public YAML::EventHandler {
 public:
  explicit TableReader(OfaTableFile& file) : file_(file) {}

  bool empty() const { return empty_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (!empty_) {
      fail(mark, "a second document");
    }
    empty_ = false;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    OnScalar(mark, "", anchor, "");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    fail(mark, "an alias");
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/,
                       YAML::anchor_t /*anchor*/, YAML::EmitterStyle::value /*style*/) override {
    fail(mark, "a list");
  }
  void OnSequenceEnd() override {}

  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    refuse_anchor(mark, anchor);
    const bool table = depth_ == 0;
    const bool row = depth_ == 1 && key_.has_value();
    if (!table && !row) {
      fail(mark, "a map");
    }
    if (row) {
      row_ = std::move(*key_);
      mean_ms_.reset();
      row_line_ = mark;
    }
    key_.reset();
    ++depth_;
  }

  void OnMapEnd() override {
    --depth_;
    if (depth_ != 1) {
      return;
    }
    if (!mean_ms_) {
      fail_row(row_line_, row_, "has no \"mean\"");
    }
    if (!file_.mean_ms.emplace(row_, *mean_ms_).second) {
      fail_row(row_line_, row_, "is there twice");
    }
  }

  void OnScalar(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                const std::string& text) override {
    refuse_anchor(mark, anchor);
    if (depth_ == 0 || (depth_ == 1 && key_)) {
      fail(mark, "the value " + quoted(text));
    }
    if (!key_) {
      key_ = text;
      return;
    }
    if (*key_ == "mean") {
      if (mean_ms_) {
        fail_row(mark, row_, "has two \"mean\"s");
      }
      mean_ms_ = mean_from(mark, text);
    }
    key_.reset();
  }

 private:
  [[noreturn]] void fail_at(const YAML::Mark& mark, const std::string& text) const {
    throw Error(file_.path + ":" + std::to_string(mark.line + 1) + ": " + text);
  }
  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& found) const {
    fail_at(mark,
            "expected a latency table, rows of the form \"<name>: {mean: <ms>}\", got " + found);
  }
  [[noreturn]] void fail_row(const YAML::Mark& mark, const std::string& row,
                             const std::string& what) const {
    fail_at(mark, "row " + quoted(row) + " " + what);
  }
  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) const {
    if (anchor != YAML::NullAnchor) {
      fail(mark, "an anchor");
    }
  }

  double mean_from(const YAML::Mark& mark, const std::string& text) const {
    double value = 0.0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = status == std::errc() && end == text.data() + text.size();
    if (!whole || !(value > 0.0 && value < kLongestMs)) {
      fail_row(mark, row_, "needs a mean in (0, 1e9) ms, got " + quoted(text));
    }
    return value;
  }

  OfaTableFile& file_;
  bool empty_ = true;
  int depth_ = 0;
  std::optional<std::string> key_;  // whose value comes next
  std::string row_;
  YAML::Mark row_line_;
  std::optional<double> mean_ms_;
};

}  // namespace

OfaTableFile parse_ofa_table(const std::string& text, const std::string& path) {
  OfaTableFile file{.path = path, .mean_ms = {}};
  TableReader reader(file);
  std::istringstream stream(text);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(reader)) {
    }
  } catch (const YAML::Exception& error) {
    throw Error(path + ":" + std::to_string(error.mark.line + 1) +
                ": not valid YAML: " + printable(error.msg));
  }
  if (reader.empty() || file.mean_ms.empty()) {
    throw Error(path + ": expected a latency table, got an empty file");
  }
  return file;
}

OfaTableFile read_ofa_table(const std::filesystem::path& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) {
    throw Error(path.string() + ": cannot read: " + error.message());
  }
  if (size > kLargestFile) {
    throw Error(path.string() + ": expected a latency table of at most 4 MiB, got " +
                std::to_string(size) + " bytes");
  }
  return parse_ofa_table(read_file(path), path.string());
}

}  // namespace lathe::latency

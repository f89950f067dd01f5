#include "lathe/train/records/metrics.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <stdexcept>
#include <string_view>

#include "lathe/core/error.h"

namespace lathe::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr const char* kStep = "step";
constexpr std::string_view kLineEnd = "\r\n";

double now_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string cell_text(const ordered_json& value) {
  const bool nothing =
      value.is_null() || (value.is_number_float() && !std::isfinite(value.get<double>()));
  std::string text = nothing ? ""
                     : value.is_string()
                         ? value.get<std::string>()
                         : value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    return text;
  }
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  }
  return quoted + "\"";
}

std::string text_of(const fs::path& path) { return fs::exists(path) ? read_file(path) : ""; }

/// Makes the file hold `bytes`, or removes it if there are none.
void replace(const fs::path& path, const std::string& bytes) {
  if (!bytes.empty()) {
    write_file_atomic(path, bytes);
    return;
  }
  std::error_code error;
  fs::remove(path, error);
  if (error) {
    throw Error(path.string() + ": cannot remove: " + error.message());
  }
}

}  // namespace

Metrics::Metrics(const fs::path& folder)
    : folder_(folder), jsonl_path_(folder / "metrics.jsonl"), jsonl_(jsonl_path_) {}

void Metrics::flatten(const ordered_json& value, const std::string& name,
                      std::vector<Cell>& cells) {
  if (!value.is_object()) {
    cells.push_back({.column = name, .value = value});
    return;
  }
  for (const auto& [key, member] : value.items()) {
    flatten(member, name.empty() ? key : name + "/" + key, cells);
  }
}

std::vector<Metrics::Cell> Metrics::cells_of(const ordered_json& record) {
  std::vector<Cell> cells;
  flatten(record, "", cells);
  return cells;
}

Scalars Metrics::scalars_of(const std::vector<Cell>& cells) {
  Scalars scalars;
  for (const Cell& cell : cells) {
    if (cell.column == kStep || !cell.value.is_number()) {
      continue;
    }
    const float number = cell.value.get<float>();
    if (std::isfinite(number)) {
      const bool grouped = cell.column.find('/') != std::string::npos;
      scalars.emplace_back(grouped ? cell.column : "train/" + cell.column, number);
    }
  }
  return scalars;
}

bool Metrics::add_columns(const std::vector<Cell>& cells) {
  const std::size_t before = columns_.size();
  for (const Cell& cell : cells) {
    if (std::ranges::find(columns_, cell.column) == columns_.end()) {
      columns_.push_back(cell.column);
    }
  }
  return columns_.size() > before;
}

std::string Metrics::csv_line(const std::vector<Cell>& cells) const {
  std::string line;
  for (const std::string& column : columns_) {
    const auto cell = std::ranges::find(cells, column, &Cell::column);
    line += line.empty() && &column == &columns_.front() ? "" : ",";
    line += cell == cells.end() ? "" : cell_text(cell->value);
  }
  return line.append(kLineEnd);
}

std::vector<Metrics::Record> Metrics::read() const {
  // Checks each line, and how deep it is nested; but loses the order of its members.
  const std::vector<nlohmann::json> checked = jsonl_.read();
  const std::string text = text_of(jsonl_path_);
  std::vector<Record> records;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < checked.size(); ++i) {
    const std::size_t end = text.find('\n', begin);
    const std::string where = jsonl_path_.string() + ":" + std::to_string(i + 1);
    records.push_back({.step = json_member<std::int64_t>(checked[i], kStep, where),
                       .line = text.substr(begin, end + 1 - begin)});
    records.back().cells = cells_of(ordered_json::parse(records.back().line));
    begin = end + 1;
  }
  return records;
}

void Metrics::mend_csv(const std::vector<Record>& records) {
  columns_.clear();
  for (const Record& record : records) {
    add_columns(record.cells);
  }
  std::string table;
  if (!records.empty()) {
    std::vector<Cell> names;
    for (const std::string& column : columns_) {
      names.push_back({.column = column, .value = column});
    }
    table = csv_line(names);
  }
  for (const Record& record : records) {
    table += csv_line(record.cells);
  }
  if (text_of(csv()) != table) {
    replace(csv(), table);
  }
}

void Metrics::mend_events(const std::vector<Record>& records) {
  const std::string bytes = text_of(events());
  const EventScan scan = scan_events(bytes);
  std::string mended;
  if (!records.empty()) {
    mended = scan.header_end > 0 ? bytes.substr(0, scan.header_end) : event_file_header(now_s());
  }
  // Events that are there keep the time that they happened at.
  std::size_t same = 0;
  while (same < std::min(scan.events.size(), records.size()) &&
         scan.events[same].step == records[same].step) {
    ++same;
  }
  if (same > 0) {
    mended = bytes.substr(0, scan.events[same - 1].end);
  }
  for (std::size_t i = same; i < records.size(); ++i) {
    mended += event_record(records[i].step, now_s(), scalars_of(records[i].cells));
  }
  if (mended != bytes) {
    replace(events(), mended);
  }
}

void Metrics::keep_until(std::int64_t step) {
  std::vector<Record> records = read();
  std::erase_if(records, [&](const Record& record) { return record.step > step; });
  std::string kept;
  for (const Record& record : records) {
    kept += record.line;
  }
  if (text_of(jsonl_path_) != kept) {
    replace(jsonl_path_, kept);
  }
  jsonl_ = JsonLines(jsonl_path_);  // which may not be there any more, and that is no accident
  mend_csv(records);
  mend_events(records);
}

void Metrics::append(const ordered_json& record) {
  if (!record.is_object() || !record.contains(kStep) || !record.at(kStep).is_number_integer()) {
    throw std::invalid_argument(
        "[train::Metrics::append] the record must be an object with an integer \"step\"");
  }
  jsonl_.append(record);
  const std::vector<Cell> cells = cells_of(record);
  if (add_columns(cells) || !fs::exists(csv())) {
    mend_csv(read());
  } else {
    append_to_file(csv(), csv_line(cells));
  }
  const std::string event =
      event_record(record.at(kStep).get<std::int64_t>(), now_s(), scalars_of(cells));
  append_to_file(events(), fs::exists(events()) ? event : event_file_header(now_s()) + event);
}

}  // namespace lathe::train

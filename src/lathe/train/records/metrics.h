// What a training run records of itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lathe/core/file.h"
#include "lathe/train/records/event_file.h"

namespace lathe::train {

/// Keeps a run's records in three files of its folder: `metrics.jsonl`, a record a line, which
/// counts where they disagree after a crash; `metrics.csv`, the same as a table; and
/// `events.out.tfevents.lathe` for TensorBoard.
///
/// A record is an object with an integer "step". Members of objects within it are named by their
/// path: {"top1": {"largest": 0.9}} is the column `top1/largest`. In the CSV (RFC 4180: lines end
/// with CR LF) a column is added where a record first has it, and is empty where it is missing or
/// null. Event files hold the finite numbers but the step, as float32: the tag is the column's
/// name, with `train/` before it if it has no slash.
class Metrics {
 public:
  /// Of the run in `folder`; nothing is written yet.
  explicit Metrics(const std::filesystem::path& folder);

  std::filesystem::path jsonl() const { return jsonl_path_; }
  std::filesystem::path csv() const { return folder_ / "metrics.csv"; }
  std::filesystem::path events() const { return folder_ / "events.out.tfevents.lathe"; }

  /// To be called before the first append(), with the steps that are done: drops the records of
  /// later ones from all files, and mends what a crash left of them. A TensorBoard that is running
  /// keeps what it has read until it is started anew.
  /// @throws Error naming the file if it can't be written, or a line is no record.
  void keep_until(std::int64_t step);

  /// @throws std::invalid_argument if `record` is no object with an integer "step"; Error naming
  /// the file if it can't be written.
  void append(const nlohmann::ordered_json& record);

 private:
  struct Cell {
    std::string column;
    nlohmann::ordered_json value;
  };
  struct Record {
    std::int64_t step = 0;
    std::string line;
    std::vector<Cell> cells;
  };
  static void flatten(const nlohmann::ordered_json& value, const std::string& name,
                      std::vector<Cell>& cells);
  static std::vector<Cell> cells_of(const nlohmann::ordered_json& record);
  static Scalars scalars_of(const std::vector<Cell>& cells);
  bool add_columns(const std::vector<Cell>& cells);
  std::string csv_line(const std::vector<Cell>& cells) const;
  std::vector<Record> read() const;
  /// Make the file what it should be with these records, if it isn't.
  void mend_csv(const std::vector<Record>& records);
  void mend_events(const std::vector<Record>& records);

  std::filesystem::path folder_;
  std::filesystem::path jsonl_path_;
  JsonLines jsonl_;
  std::vector<std::string> columns_;
};

}  // namespace lathe::train

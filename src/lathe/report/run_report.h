// A run as one page for people: what was asked and answered, and how far each figure can be
// trusted.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

namespace lathe::report {

/// What a run's page is called in its folder.
inline constexpr const char* kReportName = "report.html";

/// What the folder of lathe run, lathe specialize or lathe train holds, for a page: docs/report.md
/// describes the members. An unfinished run, one of an older version, or one that is damaged gives
/// what there is; "notes" says what there isn't. Paths of the machine are no part of it.
/// Where the latency model was fitted to the folder's nets, models are fitted again to judge it:
/// seconds with 300 nets.
/// @throws Error `<folder>: ...` if it is no run's folder, or of lathe search, with the next step.
nlohmann::ordered_json run_record(const std::filesystem::path& folder);

/// The page of one run, or of several that it compares: HTML with all that it needs in it, without
/// any address on a network, light and dark. The same folders give the same bytes.
/// @throws std::invalid_argument if there is no folder; Error as run_record().
std::string report_html(std::span<const std::filesystem::path> folders);

/// The page that shows `record`s of run_record(). Any text in them is shown as text.
std::string report_page(const nlohmann::ordered_json& records);

/// Writes report_html() of the run in `folder` into it, atomically; gives the path.
/// @throws Error as run_record() and write_file_atomic().
std::filesystem::path write_report(const std::filesystem::path& folder);

}  // namespace lathe::report

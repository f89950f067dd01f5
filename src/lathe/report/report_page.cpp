#include <string>

#include "lathe/report/run_report.h"

namespace lathe::report {
namespace internal {

extern const char* const kReportTemplate;  // report_template.html, embedded by the build

}  // namespace internal

namespace {

constexpr const char* kPlaceholder = "{{lathe-report-data}}";
constexpr int kFormatVersion = 1;

/// JSON that stands in a script element: no `<` can end it or begin a comment.
std::string script_text(const nlohmann::ordered_json& value) {
  const std::string json =
      value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  std::string text;
  text.reserve(json.size());
  for (const char c : json) {
    if (c == '<') {
      text += "\\u003c";
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace

std::string report_page(const nlohmann::ordered_json& records) {
  std::string page = internal::kReportTemplate;
  const std::size_t at = page.find(kPlaceholder);
  page.replace(
      at, std::string(kPlaceholder).size(),
      script_text({{"format", "lathe-report"}, {"version", kFormatVersion}, {"runs", records}}));
  return page;
}

}  // namespace lathe::report

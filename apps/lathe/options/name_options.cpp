#include "options/name_options.h"

#include <string_view>

namespace lathe::app {
namespace {

std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    parts.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

}  // namespace

std::vector<std::string> choices(CLI::Option& option) {
  const std::string ours = name_of_choices({});
  for (int i = 0;; ++i) {
    const CLI::Validator* validator = nullptr;
    try {
      validator = option.get_validator(i);
    } catch (const CLI::OptionNotFound&) {  // CLI11 doesn't say how many there are
      return {};
    }
    if (const std::string& name = validator->get_name(); name.starts_with(ours)) {
      return split_at_commas(std::string_view(name).substr(ours.size()));
    }
    const std::string text = validator->get_description();  // CLI::IsMember: {a,b}
    if (text.starts_with("{") && text.ends_with("}")) {
      return split_at_commas(std::string_view(text).substr(1, text.size() - 2));
    }
  }
}

}  // namespace lathe::app

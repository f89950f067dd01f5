#include "lathe/dist/engine.h"

#include <c10/util/Exception.h>

namespace lathe::dist {

std::string first_line(const std::exception& error) {
  const auto* c10_error = dynamic_cast<const c10::Error*>(&error);
  const std::string text =
      c10_error != nullptr ? c10_error->what_without_backtrace() : std::string(error.what());
  return text.substr(0, text.find('\n'));
}

}  // namespace lathe::dist

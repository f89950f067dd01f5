// The one exception type for what the environment or a file did wrong. Mistakes of the calling
// code are std::invalid_argument instead; an infeasible request is a result, never an exception.
#pragma once

#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace lathe {

/// A file, a device or a user's input is not as needed. The text is one line: the file or option,
/// what was expected, what came, and the next step where there is one. What came may be anything:
/// control characters become spaces, and of a text of more than 1,800 bytes the middle is left out.
class Error : public std::runtime_error {
 public:
  explicit Error(std::string text);
};

/// The at most three names closest to `name`, as text for an error: `did you mean "a" or "b"?`.
/// Close is an edit distance of a third of the longer name, upper and lower case alike, or one name
/// being a part of the other; `known: "a", "b"` lists all when nothing is close.
std::string nearest_names(std::string_view name, std::span<const std::string> known);

}  // namespace lathe

// Numbers for people who may type them back.
#pragma once

#include <string>

namespace lathe {

/// `value` with so many decimals, and not below it: a limit that is typed back as it was printed
/// can be met. `value` must be finite and below 1e12.
std::string text_rounded_up(double value, int decimals);

}  // namespace lathe

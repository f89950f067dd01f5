// What machine this is.
#pragma once

#include <string>

namespace lathe::measure {

/// The processor's model name as the system gives it, "unknown CPU" where it doesn't.
std::string cpu_model();

}  // namespace lathe::measure

// The text of what a call throws.
#pragma once

#include <exception>
#include <string>

namespace lathe::testing {

/// The message of the `Exception` that `call` throws; other exceptions pass through.
template <typename Exception, typename Call>
std::string message_of(Call call) {
  try {
    call();
  } catch (const Exception& exception) {
    return exception.what();
  }
  return "nothing thrown";
}

}  // namespace lathe::testing

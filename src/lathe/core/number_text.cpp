#include "lathe/core/number_text.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace lathe {
namespace {

std::string fixed(double value, int decimals) {
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), "%.*f", decimals, value);
  return buffer;
}

}  // namespace

std::string text_rounded_up(double value, int decimals) {
  const std::string nearest = fixed(value, decimals);
  const double read_back = std::strtod(nearest.c_str(), nullptr);
  return read_back >= value ? nearest : fixed(read_back + std::pow(10.0, -decimals), decimals);
}

}  // namespace lathe

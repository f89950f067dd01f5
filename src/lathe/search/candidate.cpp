#include "lathe/search/candidate.h"

#include <algorithm>

namespace lathe::search {

bool better(const Candidate& a, const Candidate& b) {
  if (a.predicted_accuracy != b.predicted_accuracy) {
    return a.predicted_accuracy > b.predicted_accuracy;
  }
  if (a.predicted_ms != b.predicted_ms) {
    return a.predicted_ms < b.predicted_ms;
  }
  return std::ranges::lexicographical_compare(a.arch.choices, b.arch.choices);
}

}  // namespace lathe::search

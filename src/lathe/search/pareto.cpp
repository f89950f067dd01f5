#include "lathe/search/pareto.h"

#include <algorithm>

namespace lathe::search {

std::vector<Candidate> pareto_front(std::span<const Candidate> candidates) {
  std::vector<const Candidate*> order;
  for (const Candidate& candidate : candidates) {
    order.push_back(&candidate);
  }
  std::ranges::sort(order, [](const Candidate* a, const Candidate* b) {
    return a->predicted_ms != b->predicted_ms ? a->predicted_ms < b->predicted_ms : better(*a, *b);
  });
  std::vector<Candidate> front;
  for (const Candidate* candidate : order) {
    if (front.empty() || candidate->predicted_accuracy > front.back().predicted_accuracy) {
      front.push_back(*candidate);
    }
  }
  return front;
}

}  // namespace lathe::search

#include "lathe/search/published/evaluations.h"

#include "lathe/search/pareto.h"

namespace lathe::search {

std::vector<std::size_t> Evaluations::evaluate(std::span<const TimedArch> nets, std::int64_t most) {
  std::vector<std::size_t> positions;
  std::vector<space::Arch> batch;
  const std::size_t first_new = all_.size();
  for (const TimedArch& net : nets) {
    if (static_cast<std::int64_t>(batch.size()) == most) {
      const auto known = position_.find(net.arch);
      positions.push_back(known == position_.end() ? kNotEvaluated : known->second);
      continue;
    }
    const auto [known, is_new] = position_.try_emplace(net.arch, all_.size());
    if (is_new) {
      batch.push_back(net.arch);
      all_.push_back({.arch = net.arch, .predicted_ms = net.predicted_ms});
    }
    positions.push_back(known->second);
  }
  std::vector<double> accuracies(batch.size());
  problem_->predict_accuracy(batch, accuracies);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    all_[first_new + i].predicted_accuracy = accuracies[i];
  }
  return positions;
}

void Evaluations::forget() {
  front_ = front();
  forgotten_ = count();
  all_.clear();
  position_.clear();
}

std::vector<Candidate> Evaluations::front() const {
  std::vector<Candidate> joined = front_;
  joined.insert(joined.end(), all_.begin(), all_.end());
  return pareto_front(joined);
}

}  // namespace lathe::search

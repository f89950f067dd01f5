#include "search/chain_search.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "lathe/core/number_text.h"
#include "lathe/core/random.h"
#include "lathe/search/chain/chain_targets.h"
#include "lathe/search/chain/greedy_shrink.h"
#include "lathe/search/chain/lagrangian.h"
#include "lathe/search/chain/pareto_front.h"
#include "lathe/search/chain/path_sampler.h"
#include "lathe/search/chain/raw_chain.h"
#include "lathe/search/chain/uniform_widths.h"
#include "lathe/space/min_sum.h"

namespace lathe::app {
namespace {

using search::RawChain;
using search::Strategy;
using space::Trellis;
using Json = nlohmann::ordered_json;

struct Answer {
  double target_ms = 0.0;
  space::Path path;  ///< empty: infeasible
  double latency_ms = 0.0;
  double error = 0.0;
  std::optional<double> bound;
};

class ChainFileSearch {
 public:
  ChainFileSearch(const RawChain& chain, const ChainSearchOptions& options)
      : chain_(chain), options_(options) {
    for (const double target_ms : options.targets_ms) {
      answers_.push_back({.target_ms = target_ms});
    }
    const bool exact = options.strategy == Strategy::kOws || options.strategy == Strategy::kPareto;
    if (options.front || exact) {
      front_.emplace(chain.trellis, chain.error, chain.latency_ms);
    }
    minimum_ms_ = space::min_sum(chain.trellis, chain.latency_ms)->total;
  }

  void run() {
    switch (options_.strategy) {
      case Strategy::kLagrangian:
        for (Answer& answer : answers_) {
          const auto found = search::lagrangian_search(chain_.trellis, chain_.error,
                                                       chain_.latency_ms, answer.target_ms);
          if (found) {
            take(answer, found->path);
            answer.bound = std::min(found->bound, answer.error);
          }
        }
        break;
      case Strategy::kGreedy:
      case Strategy::kUniform:
        shrink();
        break;
      case Strategy::kRandom:
        draw();
        break;
      default:
        for (Answer& answer : answers_) {
          if (const auto found = front_->best(answer.target_ms)) {
            take(answer, found->path);
            answer.bound = found->bound;
          }
        }
    }
  }

  Json json() const {
    Json json = Json::object();
    if (!answers_.empty()) {
      json["strategy"] = to_string(options_.strategy);
      for (const Answer& answer : answers_) {
        json["targets"].push_back(json_of(answer));
      }
    }
    if (options_.front) {
      json["front"] = Json::array();
      for (const search::FrontPoint& point : front_->points()) {
        json["front"].push_back({point.latency, point.error});
      }
      json["exact"] = front_->exact();
    }
    return json;
  }

  std::string text() const {
    std::string text;
    for (const Answer& answer : answers_) {
      if (answer.path.empty()) {
        text += fmt::format("{} ms: infeasible: the minimum reachable is {} ms\n", answer.target_ms,
                            text_rounded_up(minimum_ms_, 6));
        continue;
      }
      text += fmt::format("{} ms: {:.6g} ms, error {:.6g}", answer.target_ms, answer.latency_ms,
                          answer.error);
      if (answer.bound) {
        text += fmt::format(", at most {:.3g} above the optimum", answer.error - *answer.bound);
      }
      text += fmt::format(": {}\n", fmt::join(chain_.states(answer.path), " "));
    }
    if (options_.front) {
      text += fmt::format("front: {} points{}\n", front_->points().size(),
                          front_->exact() ? "" : " (not all there are)");
      for (const search::FrontPoint& point : front_->points()) {
        text += fmt::format("{} {}\n", point.latency, point.error);
      }
    }
    return text;
  }

 private:
  void take(Answer& answer, space::Path path) const {
    answer.latency_ms = Trellis::total(path, chain_.latency_ms);
    answer.error = Trellis::total(path, chain_.error);
    answer.path = std::move(path);
  }

  Json json_of(const Answer& answer) const {
    Json json{{"target_ms", answer.target_ms}, {"feasible", !answer.path.empty()}};
    if (answer.path.empty()) {
      json["minimum_ms"] = minimum_ms_;
      return json;
    }
    json["path"] = chain_.states(answer.path);
    json["latency_ms"] = answer.latency_ms;
    json["error"] = answer.error;
    if (answer.bound) {
      json["bound"] = *answer.bound;
      json["gap"] = answer.error - *answer.bound;
    }
    return json;
  }

  void shrink() {
    std::size_t open = answers_.size();  // targets below this number have no answer yet
    const search::VisitNet visit = [&](const search::LayerChoices& states) {
      const space::Path path = chain_.path(states);
      const double latency_ms = Trellis::total(path, chain_.latency_ms);
      while (open > 0 && latency_ms <= answers_[open - 1].target_ms) {
        take(answers_[--open], path);
      }
      return open > 0;
    };
    if (options_.strategy == Strategy::kUniform) {
      std::vector<std::vector<double>> widths;
      for (const std::uint32_t size : chain_.sizes) {
        widths.emplace_back();
        for (std::uint32_t state = 0; state < size; ++state) {
          widths.back().push_back(state + 1);
        }
      }
      search::uniform_widths(widths, visit);
      return;
    }
    const auto error_of = [&](std::size_t node, std::uint32_t state) {
      return chain_
          .error[chain_.trellis.first_arriving(chain_.trellis.first_state(node + 1) + state)];
    };
    search::greedy_shrink(
        chain_.sizes,
        [&](const search::LayerChoices& net, std::span<const std::size_t> nodes) {
          std::vector<double> hurt;
          for (const std::size_t node : nodes) {
            hurt.push_back(error_of(node, net[node] - 1) - error_of(node, net[node]));
          }
          return hurt;
        },
        visit);
  }

  void draw() {
    const search::PathSampler sampler(chain_.trellis, chain_.latency_ms);
    Rng rng(options_.seed);
    for (Answer& answer : answers_) {
      for (std::int64_t i = 0; i < options_.draws && answer.target_ms >= minimum_ms_; ++i) {
        space::Path path = sampler.sample(answer.target_ms, rng);
        // A draw keeps the limit up to the rounding of a sum.
        if (Trellis::total(path, chain_.latency_ms) <= answer.target_ms &&
            (answer.path.empty() || Trellis::total(path, chain_.error) < answer.error)) {
          take(answer, std::move(path));
        }
      }
    }
  }

  const RawChain& chain_;
  const ChainSearchOptions& options_;
  std::optional<search::ParetoFront> front_;
  double minimum_ms_ = 0.0;
  std::vector<Answer> answers_;
};

}  // namespace

bool searches_chains(Strategy strategy) {
  return search::solves_chains(strategy) || strategy == Strategy::kRandom;
}

void search_chain_file(const ChainSearchOptions& options) {
  const RawChain chain = search::load_raw_chain(options.chain);
  ChainFileSearch search(chain, options);
  search.run();
  fmt::print("{}", options.json ? search.json().dump() + "\n" : search.text());
}

}  // namespace lathe::app

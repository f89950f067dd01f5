// lathe search: the best net for every latency target, with models that are already there.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>

#include "commands.h"
#include "lathe/accuracy/width_scores.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/search/models.h"
#include "lathe/search/reachable_range.h"
#include "lathe/search/strategy_name.h"
#include "options/amount.h"
#include "options/limit_options.h"
#include "options/name_options.h"
#include "options/range.h"
#include "options/space_options.h"
#include "search/chain_search.h"
#include "search/search_answer.h"
#include "terminal.h"

namespace lathe::app {
namespace {

struct SearchCommand {
  std::string chain;
  SpaceOptions space;
  std::string latency;
  std::string accuracy;
  std::vector<double> targets_ms;
  std::string strategy = "all-targets";
  std::vector<std::string> compare;
  std::string followup_generations = "sqrt";
  search::SearchOptions search{.candidates_per_target = 1};
  LimitOptions limits;
  std::uint64_t seed = 0;
  std::string out;
  bool strict = false;
  bool wants_front = false;  ///< --front, with a file or without
  std::string front;
  std::string plot;
  bool json = false;
};

constexpr int kMostGenerations = 1000000;

/// 0 for sqrt; nothing if `text` is neither that nor a number of generations.
std::optional<int> followup_generations(const std::string& text) {
  int generations = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, generations);
  if (error == std::errc() && end == last && generations >= 1 && generations <= kMostGenerations) {
    return generations;
  }
  return text == "sqrt" ? std::optional(0) : std::nullopt;
}

std::string generations_or_sqrt(const std::string& text) {
  return followup_generations(text)
             ? std::string()
             : fmt::format("must be sqrt or a number from 1 to {}, got \"{}\"", kMostGenerations,
                           text);
}

/// Each target once, ascending; tells when they weren't.
std::vector<double> distinct_targets(const std::vector<double>& targets_ms) {
  std::vector<double> distinct = targets_ms;
  std::ranges::sort(distinct);
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  if (distinct != targets_ms) {
    fmt::print(stderr, "note: --targets sorted, each once: {}\n", fmt::join(distinct, ", "));
  }
  return distinct;
}

search::SearchOptions search_options(const SearchCommand& command,
                                     const search::Constraints& limits) {
  search::SearchOptions options = command.search;
  options.constraints = limits;
  options.evolution.followup_generations = *followup_generations(command.followup_generations);
  return options;
}

/// Of one target: what the library keeps in memory is bounded by this.
constexpr double kMostDraws = 1e8;

/// What no single option shows. @throws CLI::ValidationError.
void check_size(const SearchCommand& command) {
  const search::EvolutionOptions evolution = search_options(command, {}).evolution;
  const double draws =
      1.0 * evolution.population * std::max(evolution.generations, evolution.followup_generations);
  if (draws > kMostDraws) {
    throw CLI::ValidationError(
        "--population",
        fmt::format("must be at most {} with so many generations, got {}",
                    static_cast<std::int64_t>(kMostDraws * evolution.population / draws),
                    evolution.population));
  }
}

/// Before the search, so that none is lost for want of a place to write to.
void make_folders(const SearchCommand& command) {
  if (!command.out.empty()) {
    make_answer_folder(command.out);
  }
  for (const std::filesystem::path file : {command.front, command.plot}) {
    if (file.has_parent_path()) {
      make_folder(file.parent_path());
    }
  }
}

void write_files(const SearchCommand& command, const SearchAnswer& answer) {
  if (!command.front.empty()) {
    write_file_atomic(command.front, front_csv(answer));
  }
  if (!command.plot.empty()) {
    write_file_atomic(command.plot, plot_svg(answer));
  }
  if (!command.out.empty()) {
    write_folder(answer, command.out);
  }
}

/// What the models don't cover can't be searched; people shall know.
void tell_left_out(const search::Models& models) {
  if (!models.left_out.empty()) {
    fmt::print(stderr, "note: resolutions that both models cover: {}; the others are left out\n",
               fmt::join(models.space->input_sizes(), ", "));
  }
}

double maximum_ms(const search::Models& models) {
  return search::reachable_range(*models.space, *models.latency).slowest.predicted_ms;
}

/// Scores may have gaps, and need not be accuracies; people shall know. Null: no width scores.
void check_scores(const SearchCommand& command, const accuracy::WidthScores* scores) {
  if (scores == nullptr) {
    return;
  }
  if (scores->num_unvisited() > 0) {
    if (command.strict) {
      throw Error(
          fmt::format("{}: {} choices were in no net that was scored; train longer, or "
                      "leave out --strict to take them at the upper end of what is "
                      "plausible",
                      command.accuracy, scores->num_unvisited()));
    }
    fmt::print(stderr,
               "note: {} choices were in no net that was scored: taken at the upper end of what is "
               "plausible\n",
               scores->num_unvisited());
  }
  if (!scores->calibration()) {
    fmt::print(stderr,
               "note: {} is not calibrated: what is called accuracy is exp(-error) as a share of "
               "the best net's\n",
               command.accuracy);
  }
}

/// With --chain, which needs no models and no space.
void execute_chain(const SearchCommand& command, bool strategy_given) {
  ChainSearchOptions options{.chain = command.chain,
                             .targets_ms = distinct_targets(command.targets_ms),
                             .front = command.wants_front,
                             .json = command.json,
                             .seed = command.seed};
  if (strategy_given) {
    options.strategy = *search::strategy_named(command.strategy);
    if (!searches_chains(options.strategy)) {
      throw CLI::ValidationError("--strategy",
                                 "of a --chain must be ows, pareto, lagrangian, "
                                 "greedy, uniform or random, got " +
                                     command.strategy);
    }
  }
  if (options.targets_ms.empty() && !options.front) {
    throw CLI::RequiredError("--targets or --front");
  }
  if (!command.front.empty()) {
    throw CLI::ValidationError("--front", "names no file with --chain: it is printed");
  }
  search_chain_file(options);
}

/// What a search of a space needs. @throws CLI::Error.
void check_given(const SearchCommand& command) {
  for (const auto& [name, given] : {std::pair{"--space", !command.space.name.empty()},
                                    {"--latency", !command.latency.empty()},
                                    {"--accuracy", !command.accuracy.empty()},
                                    {"--targets", !command.targets_ms.empty()}}) {
    if (!given) {
      throw CLI::RequiredError(name);
    }
  }
  if (command.wants_front && command.front.empty()) {
    throw CLI::ValidationError("--front", "must name a file, unless with --chain");
  }
}

void execute(const SearchCommand& command) {
  check_given(command);
  check_size(command);
  make_folders(command);
  const std::vector<double> targets_ms = distinct_targets(command.targets_ms);
  const search::Models models =
      search::load_models(command.space.name, command.space.overrides(),
                          {.latency = command.latency, .accuracy = command.accuracy});
  tell_left_out(models);
  const auto* scores = dynamic_cast<const accuracy::WidthScores*>(models.accuracy.get());
  check_scores(command, scores);

  SearchAnswer answer{.space = models.space.get(), .scores = scores, .seed = command.seed};
  answer.capability.maximum_ms = maximum_ms(models);
  const search::Constraints limits = constraints(command.limits, *models.space, &answer.capability);
  if (const search::Problem problem(*models.space, *models.latency, *models.accuracy, limits);
      problem.fastest()) {
    answer.capability.minimum_ms = problem.fastest()->predicted_ms;
  }
  fmt::print(stderr, "{}", capability_text(answer.capability, targets_ms));

  std::vector<std::string> strategies = {command.strategy};
  strategies.insert(strategies.end(), command.compare.begin(), command.compare.end());
  search::SearchOptions options = search_options(command, limits);
  ProgressReporter reporter;
  for (const std::string& strategy : strategies) {
    options.strategy = *search::strategy_named(strategy);
    Rng rng(command.seed);
    answer.runs.push_back(
        {.strategy = strategy,
         .result = search_targets(*models.space, *models.latency, *models.accuracy, targets_ms,
                                  options, rng, [&](const Progress& p) { reporter(p); })});
  }
  write_files(command, answer);
  fmt::print("{}", command.json ? to_json(answer).dump(2) + "\n" : table(answer));
}

void add_question_options(CLI::App& command, SearchCommand& o) {
  command.add_option("--chain", o.chain,
                     "JSON file of a chain's tables, in the place of --space, --latency and "
                     "--accuracy");
  add_space_options(command, o.space);
  command.get_option("--space")->required(false);
  command.add_option("--latency", o.latency,
                     "latency model: a file that lathe wrote, or a folder of published "
                     "<resolution>_lookup_table.yaml");
  command.add_option("--accuracy", o.accuracy,
                     "accuracy predictor: a .safetensors file that lathe wrote or a published one, "
                     "or width scores (JSON)");
  command.add_flag("--strict", o.strict, "refuse width scores that have gaps");
  command.add_option("--targets", o.targets_ms, "latency targets in ms, separated by commas")
      ->delimiter(',')
      ->check(positive);
  add_limit_options(command, o.limits);
}

void add_strategy_options(CLI::App& command, SearchCommand& o) {
  command
      .add_option("--strategy", o.strategy,
                  fmt::format("{}", fmt::join(search::strategy_names(), ", ")))
      ->check(one_of("strategy", search::strategy_names()))
      ->capture_default_str();
  command
      .add_option("--compare", o.compare,
                  "strategies that search the same targets too, separated by commas, for the table "
                  "and the plot")
      ->delimiter(',')
      ->check(one_of("strategy", search::strategy_names()));
  command.add_option("--seed", o.seed, "of everything random")->capture_default_str();
  add_effort_option(command, o.search.effort);
  command
      .add_option("--candidates", o.search.candidates_per_target,
                  "ranked nets for each target in the JSON")
      ->check(between(1, 1000))
      ->capture_default_str();
  command
      .add_option("--evaluations", o.search.max_evaluations,
                  "accuracy predictions after which to stop")
      ->check(between(1.0, 1e12));
  command
      .add_option("--budget-s", o.search.budget_s,
                  "seconds after which to stop; the answer then depends on the machine")
      ->check(positive);
}

void add_evolution_options(CLI::App& command, search::EvolutionOptions& o, std::string& followup) {
  command.add_option("--population", o.population, "nets in a generation")
      ->check(between(1, 1000000))
      ->capture_default_str();
  command.add_option("--generations", o.generations, "for the first target, or for each")
      ->check(between(1, kMostGenerations))
      ->capture_default_str();
  command
      .add_option("--followup-generations", followup,
                  "for each target after the first where a strategy starts warm: a number, or "
                  "sqrt of --generations (as coded: its power of 2/3)")
      ->check(generations_or_sqrt)
      ->capture_default_str();
  command.add_option("--mutation-prob", o.mutation_prob, "probability that a gene is redrawn")
      ->check(fraction)
      ->capture_default_str();
  command.add_option("--parent-ratio", o.parent_ratio, "share of a generation that is bred from")
      ->check(fraction)
      ->check(positive)
      ->capture_default_str();
  command.add_option("--mutation-ratio", o.mutation_ratio, "share of offspring that are mutants")
      ->check(fraction)
      ->capture_default_str();
}

}  // namespace

void add_search_command(CLI::App& app) {
  auto options = std::make_shared<SearchCommand>();
  CLI::App* command = app.add_subcommand(
      "search", "the best net for every latency target, by a latency and an accuracy model");
  add_question_options(*command, *options);
  add_strategy_options(*command, *options);
  add_evolution_options(*command, options->search.evolution, options->followup_generations);
  command
      ->add_option("--out", options->out,
                   "folder for result.json, front.csv, tradeoff.svg and the archs")
      ->configurable(false);
  CLI::Option* front =
      command
          ->add_option("--front", options->front,
                       "CSV file for the whole Pareto front; with --chain no file: "
                       "the front is printed")
          ->expected(0, 1)
          ->configurable(false);
  command->add_option("--plot", options->plot, "SVG file for the front with the answers")
      ->configurable(false);
  command->add_flag("--json", options->json, "print JSON instead of the table")
      ->configurable(false);
  for (const char* name : {"--space", "--latency", "--accuracy", "--compare", "--out", "--plot",
                           "--max-macs", "--max-params", "--max-memory-mb"}) {
    command->get_option("--chain")->excludes(command->get_option(name));
  }
  command->callback([options, front, command] {
    options->wants_front = front->count() > 0;
    if (options->chain.empty()) {
      execute(*options);
    } else {
      execute_chain(*options, command->get_option("--strategy")->count() > 0);
    }
  });
}

}  // namespace lathe::app

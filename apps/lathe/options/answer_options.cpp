#include "options/answer_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <optional>

#include "lathe/core/number_text.h"
#include "lathe/report/run_report.h"
#include "options/amount.h"
#include "options/name_options.h"
#include "options/range.h"

namespace lathe::app {
namespace {

void add_device_options(CLI::App& command, run::SpecializeOptions& o, AnswerOptions& answer) {
  command
      .add_option(
          "--targets", answer.targets,
          "latency targets, separated by commas: ms, or with a unit such as 20us or 0.1s; or "
          "images a second, such as 200/s, in batches of --batch; 5ms@p90 is --quantile p90")
      ->delimiter(',')
      ->check(quantile_target);
  command
      .add_option("--num-targets", o.num_targets,
                  "targets evenly over the reachable range, without --targets")
      ->check(between(1, 1000))
      ->capture_default_str();
  command
      .add_option("--quantile", answer.quantile,
                  "what of a session's runs targets are about: p50, the median, to p99")
      ->check(quantile_name)
      ->capture_default_str();
  command
      .add_option("--confidence", o.confidence,
                  "that all answers said to be within their targets are, together")
      ->check(between(0.5, 0.9999))
      ->capture_default_str();
  command.add_option(
      "--latency", o.latency.model,
      "latency model of the device, as latency fit writes it; without it one is measured here");
  command
      .add_option("--measure", answer.measure,
                  "what the latency model is made from: whole nets, or blocks timed alone")
      ->check(one_of("measure", {"nets", "blocks"}))
      ->capture_default_str();
  command
      .add_option("--latency-samples", o.latency.most_nets,
                  "whole nets that are timed at most; fewer where the model is good before")
      ->check(between(10, 1000000))
      ->capture_default_str();
  add_runner_options(command, answer.runner);
}

void add_reported_limits(CLI::App& command, run::SpecializeOptions& o) {
  command
      .add_option("--max-energy-mj", o.max_energy_mj,
                  "limit on the energy of a run, in mJ, of a runner that says it")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--max-device-memory-mb", o.max_device_memory_mb,
                  "limit on the device's memory, in millions of bytes, of a runner that says it")
      ->check(CLI::PositiveNumber);
}

void add_search_options(CLI::App& command, run::SpecializeOptions& o) {
  command
      .add_option("--accuracy-samples", o.accuracy.samples,
                  "subnets evaluated for the accuracy predictor")
      ->check(between(10, 100000))
      ->capture_default_str();
  add_effort_option(command, o.search.effort);
  command
      .add_option("--evaluations", o.search.max_evaluations,
                  "accuracy predictions of the search; 0: as the effort says")
      ->check(between(std::int64_t{0}, std::int64_t{1'000'000'000}))
      ->capture_default_str();
  command
      .add_option("--candidates", o.candidates,
                  "nets of each target that are evaluated on the validation images")
      ->check(between(1, 1000))
      ->capture_default_str();
}

void add_alone_options(CLI::App& command, run::SpecializeOptions& o) {
  command
      .add_option("--fine-tune", o.fine_tune_epochs,
                  "epochs that each answer is trained on alone in the end")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option(
          "--from-scratch", o.from_scratch_epochs,
          "epochs that each answer's arch is trained alone, from random weights; the best on "
          "the validation images is handed over")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

/// The path of the page that was written; empty if that failed, which is said.
std::string written_report(const std::string& folder) {
  try {
    return report::write_report(folder).string();
  } catch (const std::exception& error) {
    fmt::print(stderr, "no report: {}\n", error.what());
    return {};
  }
}

}  // namespace

void add_answer_options(CLI::App& command, run::SpecializeOptions& o, AnswerOptions& answer) {
  add_device_options(command, o, answer);
  add_limit_options(command, answer.limits);
  add_reported_limits(command, o);
  add_search_options(command, o);
  add_alone_options(command, o);
  // Where the answer goes is not part of the question: these stay out of config.toml.
  command.add_option("--out", answer.out, "folder for everything that is made")
      ->required()
      ->configurable(false);
  command.add_flag("--resume", answer.resume, "go on with what is in --out, if there is anything")
      ->configurable(false);
  command
      .add_flag("--dry-run", o.dry_run,
                "measure the device, say what is reachable and what the rest would take, and end")
      ->configurable(false);
  command.add_flag("--json", answer.json, "print result.json instead of the table")
      ->configurable(false);
}

void resolve(const AnswerOptions& answer, run::SpecializeOptions& o) {
  check_runner(answer.runner);
  if (answer.runner.precision == kInt8) {
    o.int8.emplace();
  }
  o.targets_ms.clear();
  o.quantile = parse_quantile(answer.quantile).value();
  std::optional<double> said;
  for (const std::string& text : answer.targets) {
    const QuantileTarget target = parse_quantile_target(text, answer.runner.batch).value();
    const double quantile = target.quantile.value_or(o.quantile);
    if (said.value_or(quantile) != quantile) {
      throw CLI::ValidationError(
          "--targets", "are about different quantiles: ask once for each, with another --out");
    }
    said = quantile;
    o.targets_ms.push_back(target.ms);
  }
  o.quantile = said.value_or(o.quantile);
  o.latency.blocks = answer.measure == "blocks";
  o.latency.fewest_nets = std::min(o.latency.fewest_nets, o.latency.most_nets);
  if (limits_anything(answer.limits)) {
    o.limits = [limits = answer.limits](const space::Space& space) {
      return constraints(limits, space);
    };
  }
  o.latency.make_runner = [runner = answer.runner](const graph::Net& probe,
                                                   const std::string& known_runtime) {
    return make_runner(runner, probe, known_runtime);
  };
}

void print(const AnswerOptions& answer, const run::RunResult& result, bool dry_run) {
  const std::string page = dry_run ? "" : written_report(answer.out);
  if (dry_run) {
    for (const run::TargetResult& target : result.targets) {
      if (std::isfinite(target.minimum_ms)) {
        fmt::print("target {} ms: the minimum reachable is {} ms\n", target.target_ms,
                   text_rounded_up(target.minimum_ms, 3));
      } else {
        fmt::print("target {} ms: no net is within the limits\n", target.target_ms);
      }
    }
    fmt::print("what was measured is in {}; --resume goes on with it\n", answer.out);
  } else if (answer.json) {
    fmt::print("{}\n", run::to_json(result).dump(2));
  } else {
    fmt::print("{}nets, weights and result.json are in {}\n{}", run::result_table(result),
               answer.out, page.empty() ? "" : "all of it as a page: " + page + "\n");
  }
}

}  // namespace lathe::app

// The options of what trained nets are asked, the same for lathe run and lathe specialize.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "lathe/run/options.h"
#include "lathe/run/result.h"
#include "options/limit_options.h"
#include "options/runner_options.h"

namespace lathe::app {

struct AnswerOptions {
  std::vector<std::string> targets;  ///< parse_quantile_target()
  std::string quantile = "p50";      ///< parse_quantile()
  RunnerOptions runner;
  LimitOptions limits;
  std::string measure = "nets";
  std::string out;
  bool resume = false;
  bool json = false;
};

/// Adds --targets, --num-targets, --latency, --measure, the runner's options, those of the search
/// and of what is done with its answers, --out, --resume, --dry-run
/// and --json.
void add_answer_options(CLI::App& command, run::SpecializeOptions& options, AnswerOptions& answer);

/// Puts what the command line said about targets and measuring into `options`. To be called once it
/// is parsed. @throws CLI::ValidationError if targets are about different quantiles; Error as
/// check_runner().
void resolve(const AnswerOptions& answer, run::SpecializeOptions& options);

/// The table, or the whole result as JSON; of a dry run what can't be met. Before it, the run's
/// report.html is written; where that fails, a line on standard error says so: the answers are
/// there all the same.
void print(const AnswerOptions& answer, const run::RunResult& result, bool dry_run);

}  // namespace lathe::app

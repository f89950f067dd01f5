// lathe latency fit: from measured nets to a latency model.
#include <fmt/format.h>

#include <chrono>
#include <memory>

#include "commands.h"
#include "latency/fitted_space.h"
#include "lathe/core/error.h"
#include "lathe/latency/fit/additive.h"
#include "lathe/latency/models/block_table.h"
#include "lathe/train/predictors/fit_latency_model.h"
#include "options/name_options.h"

namespace lathe::app {
namespace {

constexpr const char* kTable = "table";
constexpr std::size_t kMinHeldOut = 20;
constexpr int kFolds = 5;

struct FitOptions {
  std::string model;
  std::string samples;
  std::string space;
  std::string table;
  std::string out;
  std::string recipe = "fast";
  TrainOptions train;
  bool json = false;
};

struct Fitted {
  std::unique_ptr<latency::StoredLatencyModel> model;
  std::string validated_on;
};

/// A table measured block by block, with the bias and scale that whole nets show.
Fitted fit_table(const space::Space& space, const latency::Fingerprint& fingerprint,
                 const SampleSplit& samples, const FitOptions& options) {
  const auto table = latency::BlockTable::load(space, options.table);
  if (const auto reason = latency::difference(table.fingerprint(), fingerprint)) {
    throw Error(options.table + ": measured under other conditions than " + options.samples + ": " +
                *reason);
  }
  if (samples.train.size() < 3) {
    throw Error("a table needs at least 3 samples to be corrected, got " +
                std::to_string(samples.train.size()));
  }
  return {.model = std::make_unique<latency::BlockTable>(calibrated(table, samples.train)),
          .validated_on = "each sample, corrected by the others"};
}

/// Least squares, and how much of the table the samples determine.
std::unique_ptr<latency::StoredLatencyModel> fit_additive(const space::Space& space,
                                                          const latency::Fingerprint& fingerprint,
                                                          const SampleSplit& samples,
                                                          std::uint64_t seed) {
  if (samples.train.size() < latency::kMinAdditiveSamples) {
    throw Error("an additive model needs at least " + std::to_string(latency::kMinAdditiveSamples) +
                " samples, got " + std::to_string(samples.train.size()));
  }
  const auto fit = latency::fit_additive(space, fingerprint, samples.train, {.seed = seed});
  fmt::print(stderr, "{} blocks, of which the samples tell {} sums apart\n", fit.variables,
             fit.rank);
  return std::make_unique<latency::BlockTable>(fit.table);
}

Fitted fit_kind(const space::Space& space, const latency::Fingerprint& fingerprint,
                const SampleSplit& samples, const FitOptions& options) {
  const train::LatencyModelKind kind = train::latency_model_kind(options.model);
  train::FitLatencyOptions fit{.seed = options.train.seed};
  if (options.recipe == "published") {
    fit.perceptron = train::published_latency_perceptron();
  }
  Fitted fitted{.model =
                    kind == train::LatencyModelKind::kAdditive
                        ? fit_additive(space, fingerprint, samples, fit.seed)
                        : train::fit_latency_model(kind, space, fingerprint, samples.train, fit)};
  if (samples.rest.size() >= kMinHeldOut) {
    fitted.model->set_validation(model_error(*fitted.model, samples.rest));
    fitted.validated_on = fmt::format("the {} other samples", samples.rest.size());
  } else if (options.recipe != "published" && samples.train.size() >= 2 * kMinHeldOut) {
    fitted.model->set_validation(
        train::cross_validated_error(kind, space, samples.train, kFolds, fit));
    fitted.validated_on = fmt::format("{} parts of the nets, each left out once", kFolds);
  }
  return fitted;
}

void execute(const FitOptions& options) {
  const auto fingerprint = latency::fingerprint_of_samples(options.samples);
  const auto space = space_of(fingerprint, options.space, options.samples);
  const SampleSplit samples = split(*space, read_whole_samples(options.samples, *space).samples,
                                    options.train, options.samples);
  const auto start = std::chrono::steady_clock::now();
  const Fitted fitted = options.model == kTable ? fit_table(*space, fingerprint, samples, options)
                                                : fit_kind(*space, fingerprint, samples, options);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  fitted.model->save(options.out);
  const auto& error = fitted.model->validation();
  if (options.json) {
    nlohmann::ordered_json json{{"model", options.model},     {"out", options.out},
                                {"space", space->name()},     {"samples", samples.train.size()},
                                {"seconds", seconds.count()}, {"validation", nullptr}};
    if (error) json["validation"] = to_json(*error);
    fmt::print("{}\n", json.dump());
    return;
  }
  fmt::print("{} of {} fitted to {} samples in {:.1f} s: {}\n", options.model, space->name(),
             samples.train.size(), seconds.count(), options.out);
  if (error) {
    fmt::print("on {}: MAPE {:.2f}%, within 5% {:.1f}%, within 10% {:.1f}%, Kendall {:.3f}\n",
               fitted.validated_on, 100 * error->mape, 100 * error->within_5,
               100 * error->within_10, error->kendall);
  } else {
    fmt::print("not validated: keep some samples back with --train-count\n");
  }
}

}  // namespace

void add_latency_fit_command(CLI::App& app) {
  auto options = std::make_shared<FitOptions>();
  CLI::App* command = app.add_subcommand("fit", "a latency model from measured nets");
  std::vector<std::string> kinds = train::latency_model_kinds();
  kinds.insert(kinds.begin(), kTable);
  command
      ->add_option(
          "--model", options->model,
          "ridge: few samples; additive: least squares over blocks; linear: the plain ridge; "
          "perceptron; residual: ridge and perceptron; table: --table, corrected")
      ->check(one_of("model", kinds))
      ->required();
  command->add_option("--samples", options->samples, "measured nets, JSON lines")->required();
  command->add_option("--table", options->table, "with --model table: the blocks' latencies");
  command->add_option("--out", options->out, "the latency model to write")->required();
  command
      ->add_option("--recipe", options->recipe,
                   "how perceptrons are trained: fast, or published: ten times as long")
      ->check(one_of("recipe", {"fast", "published"}))
      ->capture_default_str();
  add_own_space_option(*command, options->space);
  add_train_options(*command, options->train);
  command->add_flag("--json", options->json, "one line of JSON on standard output");
  command->callback([options] {
    if ((options->model == kTable) != !options->table.empty()) {
      throw CLI::ValidationError("--table", "goes with --model table, and that needs it");
    }
    execute(*options);
  });
}

}  // namespace lathe::app

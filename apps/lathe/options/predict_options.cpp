#include "options/predict_options.h"

#include <fmt/format.h>

#include "options/arch_files.h"

namespace lathe::app {

void add_predict_options(CLI::App& command, PredictOptions& options, const std::string& model) {
  command.add_option("--model", options.model, model)->required();
  add_space_options(command, options.space);
  command.get_option("--space")->required(false);
  CLI::Option_group* archs = command.add_option_group("archs");
  archs->add_option("--arch", options.arch, "file of one arch");
  archs->add_option("--archs", options.archs, "file of one arch a line");
  archs->require_option(1);
  command.add_flag("--json", options.json, "one line of JSON, of a single arch too");
}

void print_predictions(
    const PredictOptions& options, const space::Space& space,
    const std::function<std::vector<Answer>(const std::vector<space::Arch>&)>& predict) {
  const bool own_size = options.space.own_size();
  const bool one = !options.arch.empty();
  const std::vector<space::Arch> archs = one ? std::vector{read_arch(options.arch, space, own_size)}
                                             : read_archs(options.archs, space, own_size);
  const std::vector<Answer> answers = predict(archs);
  for (std::size_t i = 0; i < archs.size(); ++i) {
    if (one && !options.json) {
      fmt::print("{}\n", answers[i].begin().value().get<double>());
    } else {
      nlohmann::ordered_json line{{"arch", space.to_json(archs[i])}};
      line.update(answers[i]);
      fmt::print("{}\n", line.dump());
    }
  }
}

}  // namespace lathe::app

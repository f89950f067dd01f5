#include "training/train_device.h"

#include "options/name_options.h"

namespace lathe::app {

void add_train_device_option(CLI::App& command, std::string& device) {
  command
      .add_option("--train-device", device,
                  "device for everything but timing: cpu, cuda or cuda:<number>")
      ->capture_default_str()
      ->configurable(false);
}

void add_precision_option(CLI::App& command, nn::Precision& precision, bool measures) {
  command
      .add_option_function<std::string>(
          measures ? "--train-precision" : "--precision,--train-precision",
          [&precision](const std::string& name) { precision = nn::precision_of(name); },
          "that layers multiply in: float32; tf32, which rounds factors on GPUs; bfloat16, with "
          "weights, batch norm and losses in float32")
      ->check(one_of("precision", nn::precision_names()))
      ->default_str(nn::to_string(precision));
}

}  // namespace lathe::app

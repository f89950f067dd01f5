#include "lathe/space/chain_family.h"

#include <cmath>
#include <stdexcept>

namespace lathe::space {
namespace {

using graph::Activation;
using graph::Shape;

int strided(int size, int stride) { return (size - 1) / stride + 1; }

void check_spec(const ChainSpec& spec) {
  const auto require = [&](bool ok, const char* text) {
    if (!ok) {
      throw std::invalid_argument("[space::make_chain_space] " + spec.name + ": " + text);
    }
  };
  require(!spec.layers.empty(), "needs a layer");
  for (const ChainLayer& layer : spec.layers) {
    require(layer.stride > 0, "every layer needs a stride");
    require(!layer.widths.empty() && layer.widths.front() >= 1, "every layer needs widths >= 1");
    for (std::size_t i = 1; i < layer.widths.size(); ++i) {
      require(layer.widths[i - 1] < layer.widths[i], "widths must be ascending");
    }
  }
}

class ChainSpace final : public Space {
 public:
  explicit ChainSpace(ChainSpec spec) : Space(spec.name, spec.task), spec_(std::move(spec)) {
    check_spec(spec_);
    for (int i = 0; i < num_layers(); ++i) {
      decisions_.push_back({"widths", i, spec_.layers[static_cast<std::size_t>(i)].widths});
      genes_.push_back({i});
      slots_.push_back({i == 0 ? std::vector<int>{0} : std::vector<int>{i - 1, i}});
    }
    slots_.push_back({{num_layers() - 1}});
  }

  bool alive(const Arch& /*arch*/, int /*i*/) const override { return true; }

  double log10_num_nets() const override {
    double total = 0;
    for (const ChainLayer& layer : spec_.layers) {
      total += std::log10(static_cast<double>(layer.widths.size()));
    }
    return total;
  }

  std::vector<int> elastic_kernels() const override { return {}; }

 protected:
  std::vector<Block> slot_blocks(const Arch& arch, int s) const override {
    const Shape input = input_of(arch, s);
    if (s == num_layers()) {
      return {{.kind = BlockKind::kClassifier,
               .name = "classifier",
               .input = input,
               .output = {task().num_classes, 1, 1}}};
    }
    const int stride = spec_.layers[static_cast<std::size_t>(s)].stride;
    const bool stem = s == 0;
    return {{.kind = stem ? BlockKind::kConv : BlockKind::kSeparableConv,
             .name = stem ? "stem" : "layers." + std::to_string(s),
             .input = input,
             .output = {static_cast<int>(value(arch, s)), strided(input.height, stride),
                        strided(input.width, stride)},
             .kernel = 3,
             .stride = stride,
             .activation = Activation::kRelu}};
  }

 private:
  int num_layers() const { return static_cast<int>(spec_.layers.size()); }

  /// What reaches layer `s`; one past the last: what reaches the classifier.
  Shape input_of(const Arch& arch, int s) const {
    int size = task().input_size;
    for (int i = 0; i < s; ++i) {
      size = strided(size, spec_.layers[static_cast<std::size_t>(i)].stride);
    }
    return {s == 0 ? task().in_channels : static_cast<int>(value(arch, s - 1)), size, size};
  }

  ChainSpec spec_;
};

}  // namespace

std::unique_ptr<Space> make_chain_space(ChainSpec spec) {
  return std::make_unique<ChainSpace>(std::move(spec));
}

}  // namespace lathe::space

#include "lathe/nn/channel_sort.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

namespace lathe::nn {
namespace {

/// One tensor of a block and the dimension along which its inner channels lie.
struct Axis {
  std::string name;
  std::int64_t dim;
};

void permute(Supernet& supernet, const std::vector<at::Tensor>& companions, const Axis& axis,
             const at::Tensor& order) {
  const auto reorder = [&](const at::Tensor& tensor) {
    tensor.copy_(tensor.index_select(axis.dim, order));
  };
  const auto statistic = supernet.statistics().find(axis.name);
  if (statistic != supernet.statistics().end()) {
    reorder(statistic->second);
    return;
  }
  const Parameters& parameters = supernet.parameters();
  if (!parameters.contains(axis.name)) {
    return;  // this block has no such layer
  }
  reorder(parameters.part(parameters.values(), axis.name));
  for (const at::Tensor& companion : companions) {
    reorder(parameters.part(companion, axis.name));
  }
}

at::Tensor by_importance(const at::Tensor& weight) {
  return at::argsort(weight.abs().sum({0, 2, 3}), /*stable=*/true, /*dim=*/0,
                     /*descending=*/true);
}

void append_norm(std::vector<Axis>& axes, const std::string& layer) {
  axes.push_back({layer + ".conv.weight", 0});
  for (const char* part : {".bn.weight", ".bn.bias", ".bn.running_mean", ".bn.running_var"}) {
    axes.push_back({layer + part, 0});
  }
}

}  // namespace

void sort_channels(Supernet& supernet, const std::vector<at::Tensor>& companions) {
  const c10::NoGradGuard no_grad;
  const Parameters& parameters = supernet.parameters();
  const auto weight = [&](const std::string& name) {
    return parameters.part(parameters.values(), name);
  };
  for (const space::Block& block : supernet.space().blocks(supernet.space().largest())) {
    const bool has_expansion = parameters.contains(block.name + ".expand.conv.weight");
    if (block.kind != space::BlockKind::kMbconv || !has_expansion) {
      continue;  // without an expanding 1x1 the inner channels are the block before's output
    }
    std::vector<Axis> axes{{block.name + ".project.conv.weight", 1}};
    append_norm(axes, block.name + ".depthwise");
    append_norm(axes, block.name + ".expand");
    const std::string se = block.name + ".se";
    if (block.squeeze_excite) {
      axes.push_back({se + ".reduce.weight", 1});
      axes.push_back({se + ".expand.weight", 0});
      axes.push_back({se + ".expand.bias", 0});
    }
    const at::Tensor order = by_importance(weight(block.name + ".project.conv.weight"));
    for (const Axis& axis : axes) {
      permute(supernet, companions, axis, order);
    }
    if (block.squeeze_excite) {
      const at::Tensor middle = by_importance(weight(se + ".expand.weight"));
      for (const Axis& axis : {Axis{se + ".expand.weight", 1}, Axis{se + ".reduce.weight", 0},
                               Axis{se + ".reduce.bias", 0}}) {
        permute(supernet, companions, axis, middle);
      }
    }
  }
}

}  // namespace lathe::nn

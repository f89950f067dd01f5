#include "lathe/latency/models/part_model.h"

#include <string>

#include "lathe/latency/models/block_table.h"
#include "lathe/space/subspace.h"

namespace lathe::latency {
namespace {

class PartModel final : public LatencyModel {
 public:
  PartModel(const StoredLatencyModel& model, const space::Space& part)
      : model_(&model), part_(&part) {}

  using LatencyModel::predict_ms;
  double predict_ms(const space::Arch& arch) const override {
    return model_->predict_ms(space::in_whole(*part_, arch).arch);
  }
  const std::string& space_name() const override { return part_->name(); }
  bool covers(int input_size) const override { return model_->covers(input_size); }

 private:
  const StoredLatencyModel* model_;
  const space::Space* part_;
};

}  // namespace

std::unique_ptr<LatencyModel> model_of_part(const StoredLatencyModel& model,
                                            const space::Space& part) {
  if (const auto* const table = dynamic_cast<const BlockTable*>(&model)) {
    return std::make_unique<BlockTable>(part, table->costs());
  }
  return std::make_unique<PartModel>(model, part);
}

}  // namespace lathe::latency

// The flat arrays that a checkpoint holds beside the weights: what optimizers remember, averages,
// the logits of a search.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "lathe/nn/parameters.h"
#include "lathe/train/records/checkpoint.h"

namespace lathe::train {

class FlatParts {
 public:
  /// `flat` has the layout of `parameters`, which must outlive this.
  void add(std::string part, std::string name, const nn::Parameters& parameters, at::Tensor flat);

  /// Puts them into `checkpoint`, packed: alike from every device.
  void save(Checkpoint& checkpoint) const;
  /// @throws Error naming `where` and the first that is missing or of another size.
  void check(const Checkpoint& checkpoint, const std::string& where) const;
  /// Fills them from a checkpoint that check() has passed.
  void load(const Checkpoint& checkpoint) const;

 private:
  struct Entry {
    std::string part;
    std::string name;
    const nn::Parameters* parameters = nullptr;
    at::Tensor flat;
  };
  std::vector<Entry> entries_;
};

}  // namespace lathe::train

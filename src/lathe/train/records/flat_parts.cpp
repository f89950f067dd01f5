#include "lathe/train/records/flat_parts.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cstdint>
#include <utility>

#include "lathe/core/error.h"
#include "lathe/nn/binding.h"

namespace lathe::train {

void FlatParts::add(std::string part, std::string name, const nn::Parameters& parameters,
                    at::Tensor flat) {
  entries_.push_back({std::move(part), std::move(name), &parameters, std::move(flat)});
}

void FlatParts::save(Checkpoint& checkpoint) const {
  for (const Entry& entry : entries_) {
    checkpoint.parts[entry.part][entry.name] = nn::from_torch(entry.parameters->packed(entry.flat));
  }
}

void FlatParts::check(const Checkpoint& checkpoint, const std::string& where) const {
  for (const Entry& entry : entries_) {
    const auto part = checkpoint.parts.find(entry.part);
    const bool there = part != checkpoint.parts.end() && part->second.contains(entry.name);
    if (!there || part->second.at(entry.name).shape !=
                      std::vector<std::int64_t>{entry.parameters->num_elements()}) {
      throw Error(where + ": the " + entry.part + "'s " + entry.name +
                  " is missing or of another size");
    }
  }
}

void FlatParts::load(const Checkpoint& checkpoint) const {
  const c10::NoGradGuard no_grad;
  for (const Entry& entry : entries_) {
    const FloatTensor& packed = checkpoint.parts.at(entry.part).at(entry.name);
    entry.parameters->unpack(nn::to_torch(packed).to(entry.flat.device()), entry.flat);
  }
}

}  // namespace lathe::train

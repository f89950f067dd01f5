#include "lathe/accuracy/encoding.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "lathe/core/error.h"

namespace lathe::accuracy {
namespace {

constexpr const char* kResolutionGroup = "r";

std::string list_of(const std::vector<int>& values) {
  std::string text;
  for (const int value : values) {
    text += (text.empty() ? "" : ", ") + std::to_string(value);
  }
  return text;
}

bool is_resolution(const space::Decision& decision) { return decision.group == kResolutionGroup; }

}  // namespace

Encoding::Encoding(const space::Space& space) : Encoding(kOneHot, space, {}) {}

Encoding::Encoding(const std::string& name, const space::Space& space, std::vector<int> input_sizes)
    : name_(name), space_(&space), input_sizes_(std::move(input_sizes)) {
  if (input_sizes_.empty()) {
    input_sizes_ = space.input_sizes();
  }
  for (const space::Decision& decision : space.decisions()) {
    inputs_.emplace_back(decision.values.size(), kNone);
  }
  if (name == kOneHot && input_sizes_ == space.input_sizes()) {
    is_spaces_own_ = true;
    size_ = space.encoding_size();
  } else if (name == kOneHot) {
    number_one_hot();
  } else if (name == kOfaMbv3) {
    number_ofa_mbv3();
  } else {
    throw Error("unknown encoding \"" + name.substr(0, 60) + "\": " + nearest_names(name, names()));
  }
}

void Encoding::number_one_hot() {
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (is_resolution(space_->decisions()[i])) {
      number_input_sizes(input_sizes_, size_);
      size_ += static_cast<int>(input_sizes_.size());
    } else {
      std::iota(inputs_[i].begin(), inputs_[i].end(), size_);
      size_ += static_cast<int>(inputs_[i].size());
    }
  }
}

void Encoding::number_ofa_mbv3() {
  constexpr int kBlocks = 20;
  constexpr int kChoices = 3;
  const std::vector<double> kernels{3, 5, 7};
  const std::vector<double> expansions{3, 4, 6};
  const std::vector<int> sizes{112, 128, 144, 160, 176, 192, 208, 224};
  int shown = 0;
  bool others = false;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const space::Decision& decision = space_->decisions()[i];
    const bool kernel = decision.group == "ks" && decision.values == kernels;
    const bool expansion = decision.group == "e" && decision.values == expansions;
    if (kernel || expansion) {
      const int place = (expansion ? kBlocks : 0) + decision.index;
      std::iota(inputs_[i].begin(), inputs_[i].end(), kChoices * place);
      ++shown;
    }
    others = others || !(kernel || expansion || decision.group == "d" || is_resolution(decision));
  }
  if (shown != 2 * kBlocks || others) {
    throw Error(std::string("encoding ") + kOfaMbv3 + " is of spaces like ofa_mbv3_w1.2, with 20 " +
                "kernels of 3, 5, 7 and 20 expansions of 3, 4, 6; got " + space_->name());
  }
  for (const int size : input_sizes_) {
    if (std::ranges::find(sizes, size) == sizes.end()) {
      throw Error(std::string("encoding ") + kOfaMbv3 + " has no input for size " +
                  std::to_string(size) + ", only " + list_of(sizes));
    }
  }
  size_ = 2 * kBlocks * kChoices;
  number_input_sizes(sizes, size_);
  size_ += static_cast<int>(sizes.size());
}

void Encoding::number_input_sizes(const std::vector<int>& sizes, int first) {
  const auto input_of = [&](int size) {
    const auto found = std::ranges::find(sizes, size);
    return covers(size) && found != sizes.end() ? first + static_cast<int>(found - sizes.begin())
                                                : kNone;
  };
  const auto decision = std::ranges::find_if(space_->decisions(), is_resolution);
  const std::vector<int> choices = space_->input_sizes();
  if (decision == space_->decisions().end()) {
    constant_ = input_of(choices.front());
  } else {
    const auto at = static_cast<std::size_t>(decision - space_->decisions().begin());
    std::ranges::transform(choices, inputs_[at].begin(), input_of);
  }
}

bool Encoding::covers(int input_size) const {
  return std::ranges::find(input_sizes_, input_size) != input_sizes_.end();
}

void Encoding::encode(const space::Arch& arch, std::span<float> row) const {
  space_->check(arch);
  if (row.size() != static_cast<std::size_t>(size_)) {
    throw std::invalid_argument("[accuracy::Encoding] row must have " + std::to_string(size_) +
                                " values, got " + std::to_string(row.size()));
  }
  if (const int size = space_->input_size(arch); !covers(size)) {
    throw std::invalid_argument("[accuracy::Encoding] the predictor has only seen input sizes " +
                                list_of(input_sizes_) + ", got " + std::to_string(size));
  }
  if (is_spaces_own_) {
    std::ranges::copy(space_->encode(arch), row.begin());
    return;
  }
  std::ranges::fill(row, 0.0F);
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const int input = inputs_[i][arch.choices[i]];
    if (input != kNone && space_->alive(arch, static_cast<int>(i))) {
      row[static_cast<std::size_t>(input)] = 1.0F;
    }
  }
  if (constant_ != kNone) {
    row[static_cast<std::size_t>(constant_)] = 1.0F;
  }
}

std::vector<float> Encoding::by_choice(std::span<const float> by_input) const {
  if (is_spaces_own_) {
    return {by_input.begin(), by_input.end()};
  }
  std::vector<float> result;
  for (const std::vector<int>& of_choices : inputs_) {
    for (const int input : of_choices) {
      result.push_back(input == kNone ? 0.0F : by_input[static_cast<std::size_t>(input)]);
    }
  }
  return result;
}

}  // namespace lathe::accuracy

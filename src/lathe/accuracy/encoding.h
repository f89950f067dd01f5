// How an arch becomes the numbers that a predictor sees.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "lathe/space/space.h"

namespace lathe::accuracy {

/// Zeros, and a one for what is chosen where it is alive. By name, as predictor files have it:
/// - `one-hot`: every decision of the space in order, each choice an input: Space::encode();
/// - `ofa_mbv3_onehot_128`: the 20 kernels and the 20 expansions of ofa_mbv3, then the input size
///   as one of 112, 128, ..., 224; depths show in the blocks alone (Cai et al., "Once-for-All",
///   ICLR 2020, the published accuracy predictor).
///
/// The input sizes that the predictor was fitted to may be others than the space's choices: nets
/// of the rest can't be encoded.
class Encoding {
 public:
  static constexpr const char* kOneHot = "one-hot";
  static constexpr const char* kOfaMbv3 = "ofa_mbv3_onehot_128";
  static std::vector<std::string> names() { return {kOneHot, kOfaMbv3}; }

  /// Of all input sizes of `space`, which must outlive the encoding.
  explicit Encoding(const space::Space& space);
  explicit Encoding(space::Space&&) = delete;
  /// `input_sizes`: what the predictor was fitted to, ascending; empty: those of the space.
  /// @throws Error if the name is none, the space has other decisions than the encoding asks for,
  /// or an input size has no input in it.
  Encoding(const std::string& name, const space::Space& space, std::vector<int> input_sizes);
  Encoding(const std::string& name, space::Space&&, std::vector<int>) = delete;

  const std::string& name() const { return name_; }
  int size() const { return size_; }
  const std::vector<int>& input_sizes() const { return input_sizes_; }
  bool covers(int input_size) const;

  /// `row`: [size()], overwritten.
  /// @throws std::invalid_argument if `row` has another size, `arch` is none of the space, or its
  /// input size is not covered (those that are get listed).
  void encode(const space::Arch& arch, std::span<float> row) const;

  /// A gradient by the inputs as one by the choices, in the numbering of Space::encode(): 0 for
  /// choices that no input shows. `by_input`: [size()].
  std::vector<float> by_choice(std::span<const float> by_input) const;

 private:
  void number_one_hot();
  void number_ofa_mbv3();
  /// Gives input `first` to the first of `sizes`, and so on.
  void number_input_sizes(const std::vector<int>& sizes, int first);

  static constexpr int kNone = -1;

  std::string name_;
  const space::Space* space_;
  std::vector<int> input_sizes_;
  int size_ = 0;
  bool is_spaces_own_ = false;            // Space::encode() as it is; the rest is unused then
  std::vector<std::vector<int>> inputs_;  // of each decision's choices; kNone: no input
  int constant_ = kNone;                  // the input of a fixed input size
};

}  // namespace lathe::accuracy

// Trainable tensors in one flat array, so that the optimizer, checkpoints and gradient clipping
// touch a few large tensors instead of hundreds of small ones.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

namespace lathe::nn {

/// Named parameters that are views of one flat float32 array; their gradients are views of
/// another. Those with weight decay come first.
class Parameters {
 public:
  struct Declaration {
    std::string name;
    std::vector<std::int64_t> shape;
    bool decays = true;  ///< false: batch norm, biases, kernel transforms
  };
  /// All zero. @throws std::invalid_argument if a name is declared twice.
  explicit Parameters(std::vector<Declaration> declarations);

  /// The parameter as an autograd leaf; its gradient accumulates in place into grads().
  /// @throws std::invalid_argument if there is none of that name.
  const at::Tensor& leaf(const std::string& name) const;
  bool contains(const std::string& name) const { return entries_.contains(name); }
  std::vector<std::string> names() const;

  const at::Tensor& values() const { return values_; }
  const at::Tensor& grads() const { return grads_; }
  /// values()[0 : num_decayed()] are the parameters with weight decay.
  std::int64_t num_decayed() const { return num_decayed_; }
  std::int64_t size() const { return values_.numel(); }

  /// The part of a flat array of the same layout (a momentum, say) that belongs to `name`.
  at::Tensor part(const at::Tensor& flat, const std::string& name) const;

 private:
  struct Entry {
    std::int64_t offset = 0;
    std::vector<std::int64_t> shape;
    at::Tensor leaf;
  };
  const Entry& entry(const std::string& name) const;

  at::Tensor values_;
  at::Tensor grads_;
  std::int64_t num_decayed_ = 0;
  std::map<std::string, Entry> entries_;
};

}  // namespace lathe::nn

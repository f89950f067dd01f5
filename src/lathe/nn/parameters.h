// Trainable tensors in one flat array, so that the optimizer, checkpoints and gradient clipping
// touch a few large tensors instead of hundreds of small ones.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <map>
#include <string>
#include <vector>

namespace lathe::nn {

/// Named parameters that are views of one flat float32 array; their gradients are views of
/// another. Those with weight decay come first. With several replicas the values are shared, and
/// each replica has leaves and gradients of its own, so that threads can run backward side by side.
class Parameters {
 public:
  struct Declaration {
    std::string name;
    std::vector<std::int64_t> shape;
    bool decays = true;  ///< false: batch norm, biases, kernel transforms
  };
  /// Begins of parameters are multiples of so many elements: GPU kernels read 16 bytes at once, and
  /// some fail where that is not aligned.
  static std::int64_t alignment(c10::Device device) { return device.is_cpu() ? 1 : 64; }

  /// All zero. @throws std::invalid_argument if a name is declared twice, or replicas or alignment
  /// are < 1.
  explicit Parameters(std::vector<Declaration> declarations, int replicas = 1,
                      c10::Device device = c10::kCPU);
  Parameters(std::vector<Declaration> declarations, int replicas, c10::Device device,
             std::int64_t alignment);

  /// The parameter as an autograd leaf; its gradient accumulates in place into grads().
  /// @throws std::invalid_argument if there is none of that name, or no such replica.
  const at::Tensor& leaf(const std::string& name, int replica = 0) const;
  int replicas() const { return static_cast<int>(grads_.size()); }
  bool contains(const std::string& name) const { return entries_.contains(name); }
  std::vector<std::string> names() const;

  const at::Tensor& values() const { return values_; }
  const at::Tensor& grads(int replica = 0) const {
    return grads_.at(static_cast<std::size_t>(replica));
  }
  /// values()[0 : num_decayed()] are the parameters with weight decay.
  std::int64_t num_decayed() const { return num_decayed_; }
  /// Of the flat arrays, gaps included; those hold zeros.
  std::int64_t size() const { return values_.numel(); }
  /// Of all parameters together.
  std::int64_t num_elements() const { return num_elements_; }

  /// The part of a flat array of the same layout (a momentum, say) that belongs to `name`.
  at::Tensor part(const at::Tensor& flat, const std::string& name) const;
  /// A flat array without its gaps, [num_elements()]: the same on every device.
  at::Tensor packed(const at::Tensor& flat) const;
  /// Fills `flat` from what packed() gave.
  void unpack(const at::Tensor& packed, const at::Tensor& flat) const;

 private:
  struct Entry {
    std::int64_t offset = 0;
    std::vector<std::int64_t> shape;
    std::vector<at::Tensor> leaves;  // by replica
  };
  const Entry& entry(const std::string& name) const;
  std::vector<at::Tensor> parts_in_order(const at::Tensor& flat) const;

  at::Tensor values_;
  std::vector<at::Tensor> grads_;  // by replica
  std::int64_t num_decayed_ = 0;
  std::int64_t num_elements_ = 0;
  std::map<std::string, Entry> entries_;
};

}  // namespace lathe::nn

// An Engine around any of c10d's process groups. Private to this component.
#pragma once

#include <utility>

#include <torch/csrc/distributed/c10d/Types.hpp>

#include "lathe/dist/engine.h"

namespace lathe::dist {

/// @tparam Group c10d::ProcessGroupGloo or c10d::ProcessGroupNCCL. What they have in common is
/// called ProcessGroup in LibTorch 1.13, Backend in 2.
/// @tparam Store what the group met at, which must outlive it.
template <typename Group, typename Store>
class C10dEngine final : public Engine {
 public:
  C10dEngine(c10::intrusive_ptr<Store> store, c10::intrusive_ptr<Group> group)
      : store_(std::move(store)), group_(std::move(group)) {}

  void broadcast(const at::Tensor& tensor, int root) override {
    std::vector<at::Tensor> tensors{tensor};
    c10d::BroadcastOptions options;
    options.rootRank = root;
    options.rootTensor = 0;
    group_->broadcast(tensors, options)->wait();
  }

  void all_gather(const at::Tensor& out, const at::Tensor& in) override {
    std::vector<std::vector<at::Tensor>> outputs(1);
    for (std::int64_t rank = 0; rank < out.size(0); ++rank) {
      outputs[0].push_back(out.select(0, rank));
    }
    std::vector<at::Tensor> inputs{in};
    group_->allgather(outputs, inputs, c10d::AllgatherOptions())->wait();
  }

  void all_to_all(const at::Tensor& out, std::vector<std::int64_t> out_sizes, const at::Tensor& in,
                  std::vector<std::int64_t> in_sizes) override {
    at::Tensor output = out;
    at::Tensor input = in;
    group_->alltoall_base(output, input, out_sizes, in_sizes, c10d::AllToAllOptions())->wait();
  }

  void all_reduce(const at::Tensor& tensor) override {
    std::vector<at::Tensor> tensors{tensor};
    group_->allreduce(tensors, c10d::AllreduceOptions())->wait();
  }

 private:
  c10::intrusive_ptr<Store> store_;
  c10::intrusive_ptr<Group> group_;
};

}  // namespace lathe::dist

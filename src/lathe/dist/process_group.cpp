#include "lathe/dist/process_group.h"

#include <ATen/ops/empty.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/version.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/dist/engine.h"
#include "lathe/dist/shard_tree.h"

namespace lathe::dist {
namespace {

constexpr std::int64_t kMostText = std::int64_t{16} << 20;
/// Below it one exchange of everything is faster than two of parts.
constexpr std::int64_t kGatherBelow = 4096;

/// Adds the ranks' arrays by sum_by_tree(): each rank adds one part of the array for all.
class TreeReduction {
 public:
  TreeReduction(Engine& engine, int rank, int world_size)
      : engine_(engine), rank_(rank), world_size_(world_size) {}

  void run(const at::Tensor& array) {
    const at::Tensor flat = array.view(-1);
    if (flat.numel() < std::max<std::int64_t>(kGatherBelow, world_size_)) {
      const std::vector<at::Tensor> rows = buffer(flat, flat.numel());
      engine_.all_gather(whole(flat.numel()), flat);
      sum_by_tree(rows);
      flat.copy_(rows[0]);
      return;
    }
    std::vector<std::int64_t> parts;
    for (int r = 0; r < world_size_; ++r) {
      parts.push_back(part_begin(flat, r + 1) - part_begin(flat, r));
    }
    const std::int64_t own = parts[static_cast<std::size_t>(rank_)];
    const std::vector<std::int64_t> owns(static_cast<std::size_t>(world_size_), own);
    const std::vector<at::Tensor> rows = buffer(flat, own);
    engine_.all_to_all(whole(own).view(-1), owns, flat, parts);
    sum_by_tree(rows);
    for (std::size_t r = 1; r < rows.size(); ++r) {
      rows[r].copy_(rows[0]);
    }
    engine_.all_to_all(flat, parts, whole(own).view(-1), owns);
  }

 private:
  std::int64_t part_begin(const at::Tensor& flat, int rank) const {
    return flat.numel() * rank / world_size_;
  }

  /// A row of `size` elements for each rank; the memory is kept for the next time.
  std::vector<at::Tensor> buffer(const at::Tensor& like, std::int64_t size) {
    if (!scratch_.defined() || scratch_.numel() < size * world_size_ ||
        scratch_.scalar_type() != like.scalar_type() || scratch_.device() != like.device()) {
      scratch_ = at::empty({size * world_size_}, like.options());
    }
    return whole(size).unbind();
  }
  at::Tensor whole(std::int64_t size) const {
    return scratch_.narrow(0, 0, size * world_size_).view({world_size_, size});
  }

  Engine& engine_;
  int rank_;
  int world_size_;
  at::Tensor scratch_;
};

std::string describe(const at::Tensor& tensor) {
  std::ostringstream text;
  text << tensor.scalar_type() << tensor.sizes();
  return text.str();
}

void require(bool holds, const std::string& what) {
  if (!holds) throw std::invalid_argument("[dist::ProcessGroup::" + what);
}

c10::Stream current_stream(c10::Device device) {
  return c10::impl::VirtualGuardImpl(device.type()).getStream(device);
}

}  // namespace

struct ProcessGroup::Job {
  std::string what;
  std::function<void()> work;
  at::Tensor tensor;  // kept alive; its device says which streams must wait for each other
  std::optional<c10::Event> input_ready, output_ready;
  std::promise<void> promise;
  std::shared_future<void> done = promise.get_future();
};

struct ProcessGroup::State {
  State(const Launch& l, const Options& o)
      : launch(l),
        options(o),
        engine(o.device == c10::DeviceType::CPU
                   ? make_gloo_engine(l, {o.timeout_s, o.connect_timeout_s})
                   : make_nccl_engine(l, {o.timeout_s, o.connect_timeout_s})),
        reduction(*engine, l.rank, l.world_size),
        thread([this] { loop(); }) {}

  ~State() {
    {
      const std::lock_guard lock(mutex);
      ending = true;
    }
    changed.notify_one();
    thread.join();
  }

  void loop();
  void carry_out(Job& job);

  Launch launch;
  Options options;
  std::unique_ptr<Engine> engine;
  TreeReduction reduction;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::shared_ptr<Job>> jobs;
  bool ending = false;
  std::string failure;  // of the first collective that failed; used by the thread alone
  std::thread thread;
};

void ProcessGroup::State::loop() {
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [&] { return ending || !jobs.empty(); });
    if (ending) break;
    const std::shared_ptr<Job> job = std::move(jobs.front());
    jobs.pop_front();
    lock.unlock();
    try {
      if (failure.empty()) carry_out(*job);
    } catch (const std::exception& error) {
      failure = "rank " + std::to_string(launch.rank) + " lost another rank in " + job->what +
                " (" + first_line(error) +
                "); see that rank's own message, then start all again with --resume";
    }
    job->work = nullptr;
    if (failure.empty()) {
      job->promise.set_value();
    } else {
      job->promise.set_exception(std::make_exception_ptr(Error(failure)));
    }
    lock.lock();
  }
  for (const std::shared_ptr<Job>& job : jobs) {
    job->promise.set_exception(std::make_exception_ptr(Error("the process group has ended")));
  }
}

void ProcessGroup::State::carry_out(Job& job) {
  if (!job.input_ready) {
    job.work();
    return;
  }
  const c10::Device device = job.tensor.device();
  const c10::Stream own =
      c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device);
  const c10::StreamGuard guard(own);
  job.input_ready->block(own);
  job.work();
  job.output_ready->record(own);
}

void ProcessGroup::Pending::wait() {
  if (!job_) return;
  job_->done.get();
  if (job_->output_ready) {
    job_->output_ready->block(current_stream(job_->tensor.device()));
  }
}

ProcessGroup::Pending ProcessGroup::start(std::string what, const at::Tensor& tensor,
                                          std::function<void()> work) {
  Pending pending;
  pending.job_ = std::make_shared<Job>();
  Job& job = *pending.job_;
  job.what = std::move(what);
  job.work = std::move(work);
  job.tensor = tensor;
  if (!tensor.is_cpu()) {
    job.input_ready.emplace(tensor.device().type());
    job.output_ready.emplace(tensor.device().type());
    job.input_ready->record(current_stream(tensor.device()));
  }
  {
    const std::lock_guard lock(state_->mutex);
    state_->jobs.push_back(pending.job_);
  }
  state_->changed.notify_one();
  return pending;
}

ProcessGroup::ProcessGroup() = default;
ProcessGroup::ProcessGroup(ProcessGroup&&) noexcept = default;
ProcessGroup& ProcessGroup::operator=(ProcessGroup&&) noexcept = default;
ProcessGroup::~ProcessGroup() = default;

ProcessGroup::ProcessGroup(const Launch& launch, const Options& options) {
  require(options.timeout_s > 0 && options.connect_timeout_s > 0,
          "ProcessGroup] timeout_s and connect_timeout_s must be > 0, got " +
              std::to_string(options.timeout_s) + " and " +
              std::to_string(options.connect_timeout_s));
  if (launch.world_size > 1) {
    state_ = std::make_unique<State>(launch, options);
  }
}

bool ProcessGroup::available(c10::DeviceType device) {
  return device == c10::DeviceType::CPU ? has_gloo() : has_nccl();
}

int ProcessGroup::rank() const { return state_ ? state_->launch.rank : 0; }
int ProcessGroup::world_size() const { return state_ ? state_->launch.world_size : 1; }

ProcessGroup::Pending ProcessGroup::all_reduce_sum(const at::Tensor& flat) {
  return all_reduce_sum(std::vector<at::Tensor>{flat});
}

ProcessGroup::Pending ProcessGroup::all_reduce_sum(std::vector<at::Tensor> terms) {
  check_terms(terms);
  if (!state_) {
    sum_by_tree(terms, Others::kZero);
    return {};
  }
  const at::Tensor sum = terms.front();
  if (sum.numel() == 0) return {};
  State& state = *state_;
  return start("a sum", sum, [&state, terms = std::move(terms)] {
    sum_by_tree(terms, Others::kZero);
    if (state.options.deterministic) {
      state.reduction.run(terms.front());
    } else {
      state.engine->all_reduce(terms.front());
    }
  });
}

void ProcessGroup::broadcast(const at::Tensor& tensor, int root) {
  require(tensor.is_contiguous(), "broadcast] the tensor must be contiguous");
  require(root >= 0 && root < world_size(), "broadcast] root must be in [0, " +
                                                std::to_string(world_size()) + "), got " +
                                                std::to_string(root));
  if (!state_ || tensor.numel() == 0) return;
  Engine& engine = *state_->engine;
  start("a broadcast", tensor, [&engine, tensor, root] { engine.broadcast(tensor, root); }).wait();
}

std::vector<at::Tensor> ProcessGroup::all_gather(const at::Tensor& tensor) {
  const at::Tensor own = tensor.detach().contiguous();
  if (!state_) return {own.clone()};
  const std::vector<std::string> kinds = all_gather(describe(own));
  for (std::size_t rank = 0; rank < kinds.size(); ++rank) {
    if (kinds[rank] != kinds[0]) {
      throw Error("rank " + std::to_string(rank) + " has " + kinds[rank] + " to gather, rank 0 " +
                  kinds[0] + "; start every rank with the same version and options");
    }
  }
  std::vector<std::int64_t> shape = own.sizes().vec();
  shape.insert(shape.begin(), world_size());
  const at::Tensor all = at::empty(shape, own.options());
  if (own.numel() > 0) {
    Engine& engine = *state_->engine;
    start("an all-gather", own, [&engine, all, own] { engine.all_gather(all, own); }).wait();
  }
  return all.unbind();
}

std::vector<std::string> ProcessGroup::all_gather(const std::string& text) {
  if (!state_) return {text};
  State& state = *state_;
  const auto options = at::TensorOptions().device(state.options.device);
  const auto gathered = [&](const at::Tensor& own) {
    const at::Tensor all = at::empty({world_size(), own.size(0)}, own.options());
    start("an all-gather", own, [&state, all, own] { state.engine->all_gather(all, own); }).wait();
    return all.cpu();
  };
  const at::Tensor size = at::empty({1}, at::kLong).fill_(static_cast<std::int64_t>(text.size()));
  const at::Tensor sizes = gathered(size.to(options.device()));
  const auto* counts = sizes.data_ptr<std::int64_t>();
  const std::int64_t longest = *std::max_element(counts, counts + world_size());
  if (*std::min_element(counts, counts + world_size()) < 0 || longest > kMostText) {
    throw Error("a rank sends a text of " + std::to_string(longest) +
                " bytes, at most 16777216 were expected; see that all ranks are of this program");
  }
  at::Tensor padded = at::empty({std::max<std::int64_t>(1, longest)}, at::kByte).zero_();
  std::copy(text.begin(), text.end(), padded.data_ptr<std::uint8_t>());
  const at::Tensor bytes = gathered(padded.to(options.device()));
  std::vector<std::string> texts;
  for (int rank = 0; rank < world_size(); ++rank) {
    const auto* begin = bytes.data_ptr<std::uint8_t>() + rank * bytes.size(1);
    texts.emplace_back(begin, begin + counts[rank]);
  }
  return texts;
}

void ProcessGroup::barrier() { all_gather(std::string()); }

nlohmann::json ProcessGroup::from_rank_0(const std::function<nlohmann::json()>& make) {
  nlohmann::json made;
  if (rank() == 0) {
    try {
      made = {{"value", make()}};
    } catch (const Error& error) {
      made = {{"error", error.what()}};
    }
  }
  made = parse_json(all_gather(made.dump()).front(), "what rank 0 says");
  if (made.contains("error")) {
    throw Error(made.at("error").get<std::string>());
  }
  return made.at("value");
}

void ProcessGroup::require_same(const nlohmann::json& object) {
  const std::vector<std::string> texts = all_gather(object.dump());
  std::vector<nlohmann::json> objects;
  for (const std::string& text : texts) {
    objects.push_back(parse_json(text, "what a rank says of itself"));
  }
  const nlohmann::json& first = objects[0];
  const auto shown = [](const nlohmann::json& of, const std::string& key) {
    return of.contains(key) ? of.at(key).dump() : std::string("none");
  };
  for (std::size_t rank = 1; rank < objects.size(); ++rank) {
    nlohmann::json keys = first;
    keys.update(objects[rank]);
    for (const auto& [key, value] : keys.items()) {
      if (shown(first, key) != shown(objects[rank], key)) {
        throw Error("rank " + std::to_string(rank) + " has " + key + " = " +
                    shown(objects[rank], key) + ", rank 0 has " + shown(first, key) +
                    "; start every rank with the same version and options");
      }
    }
  }
}

nlohmann::json versions() { return {{"lathe", LATHE_VERSION}, {"libtorch", TORCH_VERSION}}; }

}  // namespace lathe::dist

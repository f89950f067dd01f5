// One rank of the process group's tests: lathe_dist_worker SCENARIO FOLDER. What it gets goes into
// files of FOLDER, an error goes to standard error with exit code 1.
#include <ATen/ATen.h>
#include <signal.h>

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "dist/worker_inputs.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/dist/process_group.h"

namespace lathe::dist {
namespace {

using lathe::testing::bytes_of;
using lathe::testing::input;
using lathe::testing::kSizes;

struct Place {
  ProcessGroup& group;
  std::filesystem::path folder;

  void write(const std::string& name, const std::string& bytes) const {
    write_file_atomic(folder / (name + "." + std::to_string(group.rank())), bytes);
  }
};

void sums(const Place& place, bool twice) {
  for (const auto type : {at::kFloat, at::kDouble}) {
    std::vector<at::Tensor> arrays;
    std::vector<ProcessGroup::Pending> pending;
    for (const std::int64_t size : kSizes) {
      arrays.push_back(input(place.group.rank(), size, type));
      pending.push_back(place.group.all_reduce_sum(arrays.back()));
    }
    for (std::size_t i = arrays.size(); i-- > 0;) {  // in any order
      pending[i].wait();
      if (twice) pending[i].wait();
      place.write("sum_" + std::to_string(kSizes[i]) + (type == at::kFloat ? "_float" : "_double"),
                  bytes_of(arrays[i]));
    }
  }
}

void sums_of_several(const Place& place) {
  const int rank = place.group.rank();
  const at::Tensor a = input(2 * rank, 100003, at::kFloat);
  const at::Tensor b = input(2 * rank + 1, 100003, at::kFloat);
  place.group.all_reduce_sum({a, b}).wait();
  place.write("sum", bytes_of(a));
  place.write("other", bytes_of(b));
}

void others(const Place& place) {
  ProcessGroup& group = place.group;
  for (int root = 0; root < group.world_size(); ++root) {
    const at::Tensor tensor = input(group.rank(), 50, at::kDouble).view({5, 10});
    group.broadcast(tensor, root);
    place.write("broadcast_" + std::to_string(root), bytes_of(tensor));
  }
  const std::vector<at::Tensor> all =
      group.all_gather(input(group.rank(), 6, at::kFloat).view({2, 3}).t());
  place.write("gathered", bytes_of(at::stack(all).contiguous()));
  std::string texts;
  for (const std::string& text : group.all_gather(std::string(3U * group.rank(), 'a'))) {
    texts += text + "|";
  }
  place.write("texts", texts);
  const nlohmann::json told = group.from_rank_0([&]() -> nlohmann::json {
    if (group.rank() != 0) throw std::logic_error("called on another rank");
    return {{"third", 1.0 / 3}, {"none", nullptr}};
  });
  place.write("told", told == nlohmann::json{{"third", 1.0 / 3}, {"none", nullptr}} ? "yes" : "no");
  group.all_gather(at::empty({0}));
  group.require_same({{"batch_size", 8}, {"name", "x"}});
}

void sum_until_it_fails(const Place& place) {
  const at::Tensor array = at::empty({100000}).zero_();
  for (int i = 0;; ++i) {
    place.group.all_reduce_sum(array).wait();
    if (i == 3) place.write("summing", "");
  }
}

void run(const std::string& scenario, const Place& place) {
  ProcessGroup& group = place.group;
  if (scenario == "sums" || scenario == "native_sums") {
    sums(place, /*twice=*/true);
  } else if (scenario == "sums_of_several") {
    sums_of_several(place);
  } else if (scenario == "others") {
    others(place);
  } else if (scenario == "sum_until_it_fails") {
    sum_until_it_fails(place);
  } else if (scenario == "stop_early") {
    if (group.rank() == 1) return;
    sum_until_it_fails(place);
  } else if (scenario == "hang") {
    group.barrier();
    if (group.rank() == 1) ::raise(SIGSTOP);
    group.barrier();
  } else if (scenario == "barrier") {
    if (group.rank() == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
      place.write("slept", "");
    }
    group.barrier();
    place.write("after", std::filesystem::exists(place.folder / "slept.0") ? "yes" : "no");
  } else if (scenario == "other_options") {
    group.require_same({{"batch_size", group.rank() == 2 ? 16 : 8}, {"lr", 0.5}});
  } else if (scenario == "more_options") {
    nlohmann::json options{{"lr", 0.5}};
    if (group.rank() == 1) options["cutout"] = 4;
    group.require_same(options);
  } else if (scenario == "error_of_rank_0") {
    group.from_rank_0([]() -> nlohmann::json { throw Error("x.json: cannot read"); });
  } else if (scenario == "other_shapes") {
    group.all_gather(at::empty({3, 1 + group.rank()}));
  } else {
    throw std::invalid_argument("no scenario " + scenario);
  }
}

double option(const char* name, double otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::stod(value);
}

int worker(const std::string& scenario, const std::string& folder) {
  std::map<std::string, std::string> variables;
  for (const char* name : launch_variables()) {
    if (const char* value = std::getenv(name)) variables[name] = value;
  }
  ProcessGroup group(launch_from(variables), {.connect_timeout_s = option("CONNECT_TIMEOUT_S", 60),
                                              .timeout_s = option("TIMEOUT_S", 60),
                                              .deterministic = scenario != "native_sums"});
  run(scenario, {group, folder});
  return 0;
}

}  // namespace
}  // namespace lathe::dist

int main(int argc, char** argv) {
  try {
    return argc == 3 ? lathe::dist::worker(argv[1], argv[2]) : 2;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}

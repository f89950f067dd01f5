#include "lathe/run/answers/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <stdexcept>
#include <utility>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/statistics.h"
#include "lathe/measure/collect.h"
#include "lathe/measure/random_net.h"
#include "lathe/run/answers/device_noise.h"
#include "lathe/run/answers/net_file.h"
#include "lathe/run/run_folder.h"

namespace lathe::run {
namespace {

namespace fs = std::filesystem;

/// An answer as its folder has it.
struct Certified {
  fs::path folder;
  fs::path certificate_file;
  nlohmann::json certificate;
  VerifiedTarget target;
};

measure::TimingOptions timing_from_json(const nlohmann::json& json, const std::string& where) {
  return {.warmup_runs = json_member<int>(json, "warmup_runs", where),
          .rounds = json_member<int>(json, "rounds", where),
          .runs_per_round = json_member<int>(json, "runs_per_round", where),
          .round_ms = json_member<double>(json, "round_ms", where)};
}

Certified read_certified(const fs::path& folder) {
  Certified read{folder, folder / "certificate.json", {}, {}};
  read.certificate = read_json(read.certificate_file);
  const nlohmann::json& json = read.certificate;
  const std::string where = read.certificate_file.string();
  VerifiedTarget& target = read.target;
  target.target_ms = json_member<double>(json, "target_ms", where);
  target.then =
      measure::verdict_from_string(json_member<std::string>(json, "verdict", where), where);
  target.then_ms = json_member<double>(json, "median_ms", where);
  target.chance_again = json_member<double>(json, "chance_again", where);
  const auto again = json_member<std::vector<double>>(json, "again95_ms", where);
  if (again.size() != 2) {
    throw Error(where + ": \"again95_ms\": expected two numbers");
  }
  target.again95_ms = {again[0], again[1]};
  return read;
}

std::vector<Certified> read_all(const fs::path& root) {
  std::vector<Certified> all;
  const fs::path nets = root / "nets";
  if (fs::is_directory(nets)) {
    for (const auto& entry : fs::directory_iterator(nets)) {
      if (fs::exists(entry.path() / "certificate.json")) {
        all.push_back(read_certified(entry.path()));
      }
    }
  }
  if (all.empty()) {
    throw Error(root.string() +
                ": has no certificates: expected nets/*/certificate.json, as lathe run and lathe "
                "specialize leave them");
  }
  std::ranges::sort(all, {}, [](const Certified& one) { return one.target.target_ms; });
  for (const Certified& one : all) {
    for (const char* key : {"device", "quantile", "timing", "sentinels"}) {
      if (one.certificate.value(key, nlohmann::json()) !=
          all.front().certificate.value(key, nlohmann::json())) {
        throw Error(one.certificate_file.string() + ": \"" + key + "\" is not that of " +
                    all.front().certificate_file.string());
      }
    }
  }
  return all;
}

/// What is timed: answers by their files, one that is the answer to several targets once, and
/// sentinels.
struct Timed {
  std::vector<graph::Net> nets;
  std::vector<std::size_t> of_target;
  std::vector<double> sentinels_then_ms;  ///< of the last nets
};

Timed nets_to_time(const std::vector<Certified>& all, const space::Space& space,
                   const std::string& space_file) {
  Timed timed;
  std::map<std::string, std::size_t> seen;
  for (const Certified& one : all) {
    const std::string arch = read_json(one.folder / "arch.json").dump();
    const auto [at, unseen] = seen.try_emplace(arch, timed.nets.size());
    timed.of_target.push_back(at->second);
    if (unseen) {
      const fs::path weights = one.folder / "weights.safetensors";
      const NetFile file = load_net(weights, space_file);
      if (!file.input) {
        throw Error(weights.string() + ": doesn't say what it expects of its input");
      }
      timed.nets.push_back(on_pixels(file.net, *file.input));
    }
  }
  const std::string where = all.front().certificate_file.string();
  for (const auto& sentinel :
       json_member<std::vector<nlohmann::json>>(all.front().certificate, "sentinels", where)) {
    const space::Arch arch =
        space.from_json(json_member<nlohmann::json>(sentinel, "arch", where), where);
    timed.nets.push_back(sentinel_net(space, arch));
    timed.sentinels_then_ms.push_back(
        median(json_member<std::vector<double>>(sentinel, "session_ms", where)));
  }
  return timed;
}

/// @throws Error unless the runner is what the certificates are of.
std::unique_ptr<measure::Runner> open_runner(const Certified& certified, const space::Space& space,
                                             const VerifyOptions& options) {
  const std::string where = certified.certificate_file.string();
  const latency::Fingerprint then = latency::fingerprint_from_json(
      json_member<nlohmann::json>(certified.certificate, "device", where), where);
  auto runner = options.make_runner(measure::random_net(space, space.largest(), 1), then.runtime);
  if (const auto different = latency::difference(then, measure::fingerprint(*runner, space))) {
    throw Error(where + ": measured under other conditions (" + *different +
                "); verify with the --runner, --precision, --threads and --batch of that run");
  }
  return runner;
}

std::vector<std::vector<double>> sessions_of(measure::Runner& runner, const Timed& timed,
                                             const measure::TimingOptions& timing, double of,
                                             int sessions, const ProgressFn& progress) {
  std::vector<std::vector<double>> session_ms(timed.nets.size());
  for (int session = 0; session < sessions; ++session) {
    runner.renew();
    for (std::size_t i = 0; i < timed.nets.size(); ++i) {
      session_ms[i].push_back(
          quantile(runner.time({&timed.nets[i], 1}, timing).front().times_ms(), of));
    }
    progress({"verify", session + 1, sessions, "sessions"});
  }
  return session_ms;
}

}  // namespace

Verification verify(const fs::path& root, const VerifyOptions& options,
                    const ProgressFn& progress) {
  if (options.sessions < 2) {
    throw std::invalid_argument("[run::verify] sessions must be >= 2, got " +
                                std::to_string(options.sessions));
  }
  const std::vector<Certified> all = read_all(root);
  const nlohmann::json& first = all.front().certificate;
  const std::string where = all.front().certificate_file.string();
  const fs::path in_folder = root / kSpaceFileName;
  const std::string space_file =
      options.space_file.empty() && fs::exists(in_folder) ? in_folder.string() : options.space_file;
  const NetFile probe = load_net(all.front().folder / "weights.safetensors", space_file);
  const auto runner = open_runner(all.front(), *probe.space, options);
  const Timed timed = nets_to_time(all, *probe.space, space_file);
  const auto session_ms = sessions_of(
      *runner, timed, timing_from_json(json_member<nlohmann::json>(first, "timing", where), where),
      json_member<double>(first, "quantile", where), options.sessions, progress);

  Verification verification{.slowdown = 0, .targets = {}};
  const double alpha = (1 - options.confidence) / static_cast<double>(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    VerifiedTarget target = all[i].target;
    target.session_ms = session_ms[timed.of_target[i]];
    target.now_ms = median(target.session_ms);
    measure::LimitEvidence evidence;
    for (const double ms : target.session_ms) {
      evidence.observe(ms <= target.target_ms);
    }
    target.now = evidence.verdict(alpha);
    target.as_stated =
        target.again95_ms.first <= target.now_ms && target.now_ms <= target.again95_ms.second;
    verification.targets.push_back(std::move(target));
  }
  const std::size_t answers = timed.nets.size() - timed.sentinels_then_ms.size();
  for (std::size_t i = 0; i < timed.sentinels_then_ms.size(); ++i) {
    verification.slowdown += median(session_ms[answers + i]) / timed.sentinels_then_ms[i] /
                             static_cast<double>(timed.sentinels_then_ms.size());
  }
  return verification;
}

nlohmann::ordered_json to_json(const Verification& verification) {
  nlohmann::ordered_json targets = nlohmann::ordered_json::array();
  for (const VerifiedTarget& t : verification.targets) {
    targets.push_back({{"target_ms", t.target_ms},
                       {"verdict_then", measure::to_string(t.then)},
                       {"measured_then_ms", t.then_ms},
                       {"chance_again", t.chance_again},
                       {"again95_ms", {t.again95_ms.first, t.again95_ms.second}},
                       {"session_ms", t.session_ms},
                       {"measured_ms", t.now_ms},
                       {"verdict", measure::to_string(t.now)},
                       {"as_stated", t.as_stated}});
  }
  return {{"sentinels_slowdown", verification.slowdown}, {"targets", std::move(targets)}};
}

std::string verification_table(const Verification& verification) {
  std::string text = fmt::format("{:>9} | {:>8} | {:>17} | {:>8} | {:>10} | {:>15}\n", "target ms",
                                 "then ms", "19 of 20 within", "now ms", "now", "sessions within");
  std::size_t as_stated = 0;
  for (const VerifiedTarget& t : verification.targets) {
    as_stated += t.as_stated ? 1 : 0;
    const auto within =
        std::ranges::count_if(t.session_ms, [&](double ms) { return ms <= t.target_ms; });
    text += fmt::format(
        "{:>9.3f} | {:>8.3f} | {:>17} | {:>8.3f} | {:>10} | {:>15}\n", t.target_ms, t.then_ms,
        fmt::format("{:.3f} to {:.3f}", t.again95_ms.first, t.again95_ms.second), t.now_ms,
        measure::to_string(t.now), fmt::format("{} of {}", within, t.session_ms.size()));
  }
  return text + fmt::format(
                    "{} of {} medians are where they were said to be; the sentinels take "
                    "{:.3f} times as long as then\n",
                    as_stated, verification.targets.size(), verification.slowdown);
}

}  // namespace lathe::run

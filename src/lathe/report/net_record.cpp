#include "lathe/report/net_record.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "lathe/graph/counts.h"
#include "lathe/report/net_picture.h"
#include "lathe/space/subspace.h"

namespace lathe::report {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostEvaluated = 300;
// Above that, only answers and nets on the front have a picture: pages shall stay small.
constexpr std::size_t kMostPictures = 200;

/// The same net as an arch of the space that was trained, if it is one of its nets.
std::optional<space::Arch> in_trained(const RunSpaces& spaces, const space::Arch& arch) {
  const auto* const part = dynamic_cast<const space::Subspace*>(spaces.trained.get());
  if (part == nullptr) {
    return arch;
  }
  return part->contains(arch) ? std::optional(part->from_whole(arch)) : std::nullopt;
}

}  // namespace

NetRecord::NetRecord(RunFiles& files, const RunSpaces& spaces, const latency::LatencyModel* latency,
                     const accuracy::AccuracyPredictor* accuracy)
    : files_(files), spaces_(spaces), latency_(latency), accuracy_(accuracy) {}

nlohmann::ordered_json NetRecord::described(const space::Arch& arch) const {
  const space::Space& space = *spaces_.whole;
  const graph::Graph graph = space.graph(arch);
  Json net{{"arch", space.to_json(arch)},
           {"macs", graph::macs(graph)},
           {"params", graph::params(graph)}};
  if (latency_ != nullptr) {
    net["predicted_ms"] = latency_->predict_ms(arch);
  }
  if (const auto own = in_trained(spaces_, arch); own && accuracy_ != nullptr) {
    net["predicted_accuracy"] = accuracy_->predict(*own);
  }
  net["picture"] = net_picture(space, arch, [&](const space::Arch& other) {
    return latency_ != nullptr ? latency_->predict_ms(other) : macs_of(space, other);
  });
  return net;
}

int NetRecord::add_answer(const nlohmann::json& arch) {
  const int at = add(arch);
  if (at >= 0) {
    nets_[static_cast<std::size_t>(at)]["answer"] = true;
  }
  return at;
}

int NetRecord::add(const nlohmann::json& arch) {
  int at = -1;
  if (spaces_.whole == nullptr || !arch.is_object()) {
    return at;
  }
  files_.noting([&] {
    const space::Arch known = spaces_.whole->from_json(arch, "an arch of the run");
    const auto found = numbers_.find(known);
    if (found != numbers_.end()) {
      at = found->second;
      return;
    }
    nets_.push_back(described(known));
    at = static_cast<int>(nets_.size()) - 1;
    numbers_.emplace(known, at);
  });
  return at;
}

void NetRecord::add_evaluated(const std::string& file, RunFiles& in, bool sampled) {
  std::vector<nlohmann::json> lines = in.lines(file);
  std::erase_if(lines, [](const nlohmann::json& line) {
    const auto accuracy = number(line, "accuracy");
    return !accuracy || *accuracy < 0 || *accuracy > 1 || !part(line, "arch").is_object();
  });
  const std::size_t stride = (lines.size() + kMostEvaluated - 1) / kMostEvaluated;
  for (std::size_t i = 0; i < lines.size(); i += stride) {
    if (const int at = add(lines[i].at("arch")); at >= 0) {
      Json& net = nets_[static_cast<std::size_t>(at)];
      net["validation_accuracy"] = lines[i].at("accuracy");
      net["sampled"] = sampled || net.value("sampled", false);
    }
  }
}

/// By ascending latency, of equals the most accurate first: a net is on the front if it is more
/// accurate than all before it.
void NetRecord::mark_front(nlohmann::ordered_json& nets) const {
  struct Point {
    double ms, accuracy;
    std::size_t at;
  };
  std::vector<Point> points;
  for (std::size_t i = 0; i < nets.size(); ++i) {
    if (nets[i].contains("predicted_ms") && nets[i].contains("validation_accuracy")) {
      points.push_back(
          {nets[i]["predicted_ms"].get<double>(), nets[i]["validation_accuracy"].get<double>(), i});
    }
  }
  std::ranges::sort(points, [](const Point& a, const Point& b) {
    return std::pair(a.ms, -a.accuracy) < std::pair(b.ms, -b.accuracy);
  });
  double best = -1;
  for (const Point& point : points) {
    if (point.accuracy > best) {
      best = point.accuracy;
      nets[point.at]["front"] = true;
    }
  }
}

nlohmann::ordered_json NetRecord::list() const {
  Json nets = nets_;
  mark_front(nets);
  if (nets.size() > kMostPictures) {
    for (Json& net : nets) {
      if (!net.value("front", false) && !net.value("answer", false)) {
        net.erase("picture");
      }
    }
  }
  return nets;
}

}  // namespace lathe::report

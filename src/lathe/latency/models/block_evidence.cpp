#include "lathe/latency/models/block_evidence.h"

#include <cmath>
#include <map>
#include <sstream>
#include <stdexcept>

#include "lathe/core/file.h"
#include "lathe/regress/least_squares.h"

namespace lathe::latency {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr double kTinyRidge = 1e-5;  // beside counts of 1 and more
constexpr double kNotIdentified = 1e-3;

/// What is wrong with it, or empty.
std::string fault(const BlockEvidence& e) {
  if (e.nets.empty() || e.nets.size() != e.weights_per_ms2.size()) {
    return "must have as many weights as nets, and some";
  }
  for (const std::vector<int>& net : e.nets) {
    for (const int position : net) {
      if (position < 0 || static_cast<std::size_t>(position) >= e.keys.size()) {
        return "has a block at position " + std::to_string(position) + " of " +
               std::to_string(e.keys.size());
      }
    }
  }
  for (const double weight : e.weights_per_ms2) {
    if (!std::isfinite(weight) || weight < 0) return "must have finite weights >= 0";
  }
  if (!std::isfinite(e.penalty_per_ms2) || e.penalty_per_ms2 <= 0 || !std::isfinite(e.noise) ||
      e.noise < 0) {
    return "must have a finite penalty > 0 and noise >= 0";
  }
  return {};
}

Eigen::SparseMatrix<double> rows_of(const BlockEvidence& e) {
  std::vector<Eigen::Triplet<double>> entries;
  for (std::size_t i = 0; i < e.nets.size(); ++i) {
    for (const int position : e.nets[i]) entries.emplace_back(static_cast<int>(i), position, 1.0);
  }
  Eigen::SparseMatrix<double> rows(static_cast<Index>(e.nets.size()),
                                   static_cast<Index>(e.keys.size()));
  rows.setFromTriplets(entries.begin(), entries.end());
  return rows;
}

std::vector<int> numbers_in(const std::string& text, const std::string& where) {
  std::istringstream in(text);
  std::vector<int> numbers;
  for (int number = 0; in >> number;) numbers.push_back(number);
  if (!in.eof()) {
    throw Error(where + ": \"nets\": expected positions separated by spaces, got \"" +
                text.substr(0, 60) + "\"");
  }
  return numbers;
}

}  // namespace

std::vector<Certainty> certainty(const BlockEvidence& evidence,
                                 std::span<const std::vector<std::string>> nets) {
  if (const std::string wrong = fault(evidence); !wrong.empty()) {
    throw std::invalid_argument("[latency::certainty] evidence " + wrong);
  }
  const auto rows = rows_of(evidence);
  const auto same_for_all = [&](double value) { return VectorXd::Constant(rows.cols(), value); };
  const regress::NormalEquations span(regress::normal_matrix(rows, VectorXd::Ones(rows.rows())),
                                      same_for_all(kTinyRidge));
  const regress::NormalEquations system(
      regress::normal_matrix(
          rows, Eigen::Map<const VectorXd>(evidence.weights_per_ms2.data(), rows.rows())),
      same_for_all(evidence.penalty_per_ms2));
  std::map<std::string, Index> column_of;
  for (const std::string& key : evidence.keys) {
    column_of.emplace(key, static_cast<Index>(column_of.size()));
  }
  std::vector<Certainty> answers;
  for (const std::vector<std::string>& net : nets) {
    VectorXd query = VectorXd::Zero(rows.cols());
    bool all_seen = true;
    for (const std::string& key : net) {
      const auto column = column_of.find(key);
      if (column == column_of.end()) {
        all_seen = false;
      } else {
        query[column->second] += 1.0;
      }
    }
    answers.push_back({.deviation_ms = evidence.noise * std::sqrt(system.leverage(query)),
                       .identifiable = all_seen && span.unidentified(query) < kNotIdentified});
  }
  return answers;
}

nlohmann::ordered_json to_json(const BlockEvidence& evidence) {
  std::vector<std::string> nets;
  for (const std::vector<int>& net : evidence.nets) {
    std::string& line = nets.emplace_back();
    for (const int position : net) line += (line.empty() ? "" : " ") + std::to_string(position);
  }
  return {{"noise", evidence.noise},
          {"penalty_per_ms2", evidence.penalty_per_ms2},
          {"blocks", evidence.keys},
          {"nets", nets},
          {"weights_per_ms2", evidence.weights_per_ms2}};
}

BlockEvidence block_evidence_from_json(const nlohmann::json& json, const std::string& where) {
  BlockEvidence evidence{
      .keys = json_member<std::vector<std::string>>(json, "blocks", where),
      .weights_per_ms2 = json_member<std::vector<double>>(json, "weights_per_ms2", where),
      .penalty_per_ms2 = json_member<double>(json, "penalty_per_ms2", where),
      .noise = json_member<double>(json, "noise", where)};
  for (const auto& net : json_member<std::vector<std::string>>(json, "nets", where)) {
    evidence.nets.push_back(numbers_in(net, where));
  }
  if (const std::string wrong = fault(evidence); !wrong.empty()) throw Error(where + ": " + wrong);
  return evidence;
}

}  // namespace lathe::latency

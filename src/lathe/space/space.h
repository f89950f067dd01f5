// What may be chosen. A space knows its decisions and turns an arch into blocks; how good or how
// fast the result is, is for others to say.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "lathe/core/random.h"
#include "lathe/space/arch.h"
#include "lathe/space/block.h"

namespace lathe::space {

/// One choice to make.
struct Decision {
  std::string group;           ///< the arch JSON's key: "ks", "e", "d", "r", ...
  int index = 0;               ///< position in that key's list
  std::vector<double> values;  ///< what the choice indices stand for, in ascending order
  int num_choices() const { return static_cast<int>(values.size()); }
};

/// What the net is for, apart from the arch.
struct Task {
  int in_channels = 3;
  int num_classes = 1000;
  int input_size = 224;  ///< where the arch doesn't decide it
};

/// A place in the net: a run of blocks that depends on few decisions. What is a sum over blocks
/// (latency, MACs, parameters) is a sum over slots, each a small table.
struct Slot {
  /// Ascending. They determine the slot's blocks, and which of themselves are alive, whatever the
  /// others are. Where the space has a choice of resolution, it is among them.
  std::vector<int> decisions;
};

/// Thread-safe: all members are const.
class Space {
 public:
  virtual ~Space() = default;

  const std::string& name() const { return name_; }
  const Task& task() const { return task_; }
  const std::vector<Decision>& decisions() const { return decisions_; }

  /// Whether decision `i` has any effect in `arch` (a block beyond its stage's depth has none).
  virtual bool alive(const Arch& arch, int i) const = 0;
  /// Height and width of the net's input: the arch's "r" where the space has that decision.
  int input_size(const Arch& arch) const;
  /// What input_size() can be, ascending: the choices of "r", or the task's alone.
  std::vector<int> input_sizes() const;
  /// `arch` with every dead decision set to choice 0: equal nets, equal archs.
  Arch canonical(Arch arch) const;
  /// @throws std::invalid_argument unless `arch` has one valid choice per decision.
  void check(const Arch& arch) const;

  /// Each decision uniform and independent, then canonical.
  Arch sample(Rng& rng) const;
  /// Every gene redrawn with probability `rate`; what a gene is, the family says (in the mobile
  /// family a block's kernel and expansion together). Canonical.
  Arch mutate(const Arch& arch, double rate, Rng& rng) const;
  /// Each gene from either parent with equal probability. Canonical.
  Arch crossover(const Arch& a, const Arch& b, Rng& rng) const;
  Arch smallest() const;  ///< first choice everywhere
  /// The last choice everywhere, or what else needs the most MACs.
  virtual Arch largest() const;

  /// Every arch whose net is that of `arch` with its parts in another order, itself included;
  /// ascending. They are equally fast and accurate: the first can stand for all, and a split into
  /// training and test keeps them together. Only cells have others than canonical(arch).
  virtual std::vector<Arch> equivalents(const Arch& arch) const { return {canonical(arch)}; }

  /// log10 of the number of distinct nets at one resolution.
  virtual double log10_num_nets() const = 0;

  /// Decision indices that mutation redraws together; each decision is in one gene.
  const std::vector<std::vector<int>>& genes() const { return genes_; }

  /// In the order of the net, unless the family says otherwise.
  const std::vector<Slot>& slots() const { return slots_; }
  /// The blocks that `arch` has in slot `s`, perhaps none. @throws std::invalid_argument as
  /// check().
  std::vector<Block> blocks(const Arch& arch, int s) const;
  /// The blocks of the net, in the order of its slots. @throws std::invalid_argument as check().
  std::vector<Block> blocks(const Arch& arch) const;
  /// Calls `visit` with an arch for each combination of the choices of slot `s`'s decisions, the
  /// last decision changing fastest; the other decisions stay at choice 0. Not canonical.
  /// @throws Error if there are more than a million: the space's blocks can't be listed.
  void for_each_assignment(int s, const std::function<void(const Arch&)>& visit) const;
  /// Every block, by key(), that some arch of the space contains; each once.
  /// @throws Error as for_each_assignment().
  std::vector<Block> distinct_blocks() const;
  /// The net: lower(blocks(arch)), where the blocks are a chain.
  virtual graph::Graph graph(const Arch& arch) const { return lower(blocks(arch)); }
  /// The same with what acts in training alone (drop-path), parameters and names alike.
  virtual graph::Graph training_graph(const Arch& arch) const { return graph(arch); }
  /// Whether they are: then the most memory that a net needs is that of one of its blocks.
  virtual bool is_chain() const { return true; }
  /// Whether each net's parameters are slices of the largest's, as in a nn::Supernet.
  virtual bool weights_nest() const { return true; }

  /// Kernel sizes, ascending, through which a depthwise weight of the largest size shrinks by
  /// learned transforms; empty where kernels are not elastic.
  virtual std::vector<int> elastic_kernels() const = 0;

  /// One-hot of every decision, zeros where dead, or what the family says: the input of learned
  /// predictors. encoding_size() numbers in [0, 1]. @throws std::invalid_argument as check().
  virtual std::vector<float> encode(const Arch& arch) const;
  virtual int encoding_size() const;
  /// Whether encode() is that one-hot of every decision.
  virtual bool encodes_choices() const { return true; }

  /// `{"space": name, "<group>": [values...], ..., "r": 160}`, dead decisions too. "r" is a single
  /// number, and always written. Cells are written otherwise.
  virtual nlohmann::ordered_json to_json(const Arch& arch) const;
  /// Canonical. A file without "space" is taken as this space's, one without "r" as having the
  /// task's input size. `where` names the file in errors.
  /// @throws Error `<where>: ...` if the space differs, a key is missing or unknown, a list has
  /// another length, or a value is not one of the choices (which are listed).
  virtual Arch from_json(const nlohmann::json& json, const std::string& where) const;

 protected:
  Space(std::string name, Task task) : name_(std::move(name)), task_(task) {}
  std::vector<Decision> decisions_;
  std::vector<std::vector<int>> genes_;
  /// Every decision is in at least one.
  std::vector<Slot> slots_;

  double value(const Arch& arch, int i) const;  ///< what decision `i`'s choice stands for

  /// blocks(arch, s) of an arch and a slot that have been checked.
  virtual std::vector<Block> slot_blocks(const Arch& arch, int s) const = 0;

 private:
  std::string name_;
  Task task_;
};

}  // namespace lathe::space

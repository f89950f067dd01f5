#include "lathe/space/families/genotype.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

#include "lathe/core/error.h"

namespace lathe::space {
namespace {

/// Inputs of each node by ascending source.
Cell sorted(Cell cell) {
  for (std::size_t i = 0; i < cell.size(); i += 2) {
    if (cell[i + 1].source < cell[i].source) {
      std::swap(cell[i], cell[i + 1]);
    }
  }
  return cell;
}

int op_of(const nlohmann::json& name, const std::string& where) {
  const std::vector<std::string> known(kCellOps.begin() + 1, kCellOps.end());
  if (!name.is_string()) {
    throw Error(where + " must have the name of an operation, got " + name.dump());
  }
  const auto found = std::find(known.begin(), known.end(), name.get<std::string>());
  if (found == known.end()) {
    throw Error(where + " has the unknown operation " + name.dump() + ": " +
                nearest_names(name.get<std::string>(), known));
  }
  return static_cast<int>(found - known.begin()) + 1;
}

/// Reads a genotype as a small part of Python's grammar.
class GenotypeReader {
 public:
  GenotypeReader(const std::string& text, const std::string& where) : text_(text), where_(where) {}

  nlohmann::json read() {
    std::string word = identifier();
    if (word != "Genotype") {  // the name that the file gives it
      expect('=');
      word = identifier();
    }
    if (word != "Genotype") {
      fail("Genotype(");
    }
    expect('(');
    nlohmann::json arch{{"space", "darts"}};
    do {
      const std::string key = identifier();
      expect('=');
      if (key == "normal" || key == "reduce") {
        arch[key] = cell();
      } else if (key == "normal_concat" || key == "reduce_concat") {
        concatenation();
      } else {
        throw Error(where_ + ": unknown member \"" + key + "\" of a genotype in line " + line());
      }
    } while (accept(',') && !peek(')'));
    expect(')');
    skip_space();
    if (at_ != text_.size()) {
      fail("the end after one genotype");
    }
    return arch;
  }

 private:
  [[noreturn]] void fail(const std::string& expected) const {
    const std::string got = at_ < text_.size()
                                ? nlohmann::json(text_.substr(at_, 1))
                                      .dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)
                                : "the end";
    throw Error(where_ + ": expected " + expected + " in line " + line() + ", got " + got);
  }
  std::string line() const {
    const auto end = text_.begin() + static_cast<std::ptrdiff_t>(at_);
    return std::to_string(1 + std::count(text_.begin(), end, '\n'));
  }
  static bool is(int (*kind)(int), char c) { return kind(static_cast<unsigned char>(c)) != 0; }
  void skip_space() {
    while (at_ < text_.size() && is(std::isspace, text_[at_])) {
      ++at_;
    }
  }
  bool peek(char c) {
    skip_space();
    return at_ < text_.size() && text_[at_] == c;
  }
  bool accept(char c) {
    const bool found = peek(c);
    at_ += found ? 1 : 0;
    return found;
  }
  void expect(char c) {
    if (!accept(c)) {
      fail(std::string("'") + c + "'");
    }
  }

  std::string identifier() {
    skip_space();
    const std::size_t begin = at_;
    while (at_ < text_.size() && (is(std::isalnum, text_[at_]) || text_[at_] == '_')) {
      ++at_;
    }
    if (at_ == begin) {
      fail("a name");
    }
    return text_.substr(begin, at_ - begin);
  }
  int number() {
    skip_space();
    int value = 0;
    const std::size_t begin = at_;
    for (; at_ < text_.size() && at_ < begin + 3 && is(std::isdigit, text_[at_]); ++at_) {
      value = 10 * value + (text_[at_] - '0');
    }
    if (at_ == begin) {
      fail("a number");
    }
    return value;
  }
  std::string quoted() {
    const char quote = peek('"') ? '"' : '\'';
    expect(quote);
    std::string word = identifier();
    expect(quote);
    return word;
  }

  nlohmann::json cell() {
    nlohmann::json inputs = nlohmann::json::array();
    expect('[');
    while (!peek(']')) {
      expect('(');
      std::string op = quoted();
      expect(',');
      inputs.push_back({std::move(op), number()});
      expect(')');
      if (!accept(',')) {
        break;
      }
    }
    expect(']');
    return inputs;
  }

  void concatenation() {
    std::vector<int> states;
    if (accept('[')) {
      while (!peek(']')) {
        states.push_back(number());
        if (!accept(',')) {
          break;
        }
      }
      expect(']');
    } else if (identifier() == "range") {
      expect('(');
      const int first = number();
      expect(',');
      const int last = number();
      expect(')');
      for (int state = first; state < last; ++state) {
        states.push_back(state);
      }
    } else {
      fail("a list or range(2, 6)");
    }
    std::sort(states.begin(), states.end());
    if (states != std::vector<int>{2, 3, 4, 5}) {
      throw Error(where_ + ": the cell in line " + line() +
                  " must concatenate the nodes 2 to 5, got " + nlohmann::json(states).dump());
    }
  }

  const std::string& text_;
  const std::string& where_;
  std::size_t at_ = 0;
};

std::string text_of(const Cell& cell) {
  std::string text;
  for (const CellInput& input : cell) {
    text += (text.empty() ? "('" : ", ('") +
            std::string(kCellOps.at(static_cast<std::size_t>(input.op))) + "', " +
            std::to_string(input.source) + ")";
  }
  return "[" + text + "]";
}

}  // namespace

std::vector<Cell> relabellings(const Cell& cell) {
  std::set<Cell> found;
  std::array<int, kCellNodes> place{0, 1, 2, 3};  // where each node goes
  do {
    Cell moved;
    bool in_order = true;
    for (int node = 0; node < kCellNodes; ++node) {
      for (int i = 0; i < 2; ++i) {
        CellInput input = cell.at(static_cast<std::size_t>(2 * node + i));
        if (input.source >= 2) {
          input.source = place.at(static_cast<std::size_t>(input.source - 2)) + 2;
        }
        const int to = place.at(static_cast<std::size_t>(node));
        in_order = in_order && input.source < to + 2;
        moved.at(static_cast<std::size_t>(2 * to + i)) = input;
      }
    }
    if (in_order) {
      found.insert(sorted(moved));
    }
  } while (std::next_permutation(place.begin(), place.end()));
  return {found.begin(), found.end()};
}

nlohmann::ordered_json to_json(const Cell& cell) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const CellInput& input : cell) {
    json.push_back({kCellOps.at(static_cast<std::size_t>(input.op)), input.source});
  }
  return json;
}

Cell cell_from_json(const nlohmann::json& json, const std::string& where) {
  Cell cell;
  if (!json.is_array() || json.size() != cell.size()) {
    throw Error(where + " must be a list of 8 inputs such as [\"sep_conv_3x3\", 0], got " +
                (json.is_array() ? std::to_string(json.size()) : std::string(json.type_name())));
  }
  for (std::size_t i = 0; i < cell.size(); ++i) {
    const std::string at = where + "[" + std::to_string(i) + "]";
    const int states = static_cast<int>(i) / 2 + 2;
    if (!json[i].is_array() || json[i].size() != 2) {
      throw Error(at + " must be an operation and its source such as [\"sep_conv_3x3\", 0], got " +
                  json[i].dump());
    }
    const nlohmann::json& source = json[i][1];
    cell[i].op = op_of(json[i][0], at);
    if (!source.is_number_integer() || source < 0 || source >= states) {
      throw Error(at + " must have a source from 0 to " + std::to_string(states - 1) + ", got " +
                  source.dump());
    }
    cell[i].source = source.get<int>();
    if (i % 2 == 1 && cell[i].source == cell[i - 1].source) {
      throw Error(at + " must have another source than the node's first input, got " +
                  source.dump() + " twice");
    }
  }
  return sorted(cell);
}

nlohmann::json genotype_from_text(const std::string& text, const std::string& where) {
  return GenotypeReader(text, where).read();
}

std::string genotype_to_text(const Cell& normal, const Cell& reduce) {
  return "Genotype(normal=" + text_of(normal) +
         ", normal_concat=range(2, 6), reduce=" + text_of(reduce) + ", reduce_concat=range(2, 6))";
}

}  // namespace lathe::space

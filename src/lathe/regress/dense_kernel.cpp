#include "lathe/regress/dense_kernel.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>

#include "lathe/core/isa.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define LATHE_X86_DISPATCH 1
#endif

namespace lathe::regress {
namespace {

constexpr int kPanel = PackedDense::kPanel;

// Vectors of 4, 8 and 16 floats by the compiler's extension: no intrinsics to keep per processor.
using Float4 = float __attribute__((vector_size(16)));
using Float8 = float __attribute__((vector_size(32)));
using Float16 = float __attribute__((vector_size(64)));

template <typename Vector>
constexpr std::ptrdiff_t kLanes = sizeof(Vector) / sizeof(float);

template <typename Vector>
[[gnu::always_inline]] inline void load(Vector& to, const float* from) {
  std::memcpy(&to, from, sizeof(Vector));
}

// `Rows` rows times `Vectors` vectors of one panel, starting at output `offset` of it. The
// accumulators stay in registers for the whole reduction, over the inputs `used`.
template <typename Vector, int Rows, int Vectors>
[[gnu::always_inline]] inline void tile(const float* x, std::ptrdiff_t inputs,
                                        std::span<const std::int32_t> used, const float* panel,
                                        const float* bias, float* out) {
  Vector sum[Rows][Vectors];
  for (int r = 0; r < Rows; ++r) {
    for (int v = 0; v < Vectors; ++v) {
      load(sum[r][v], bias + v * kLanes<Vector>);
    }
  }
  for (const std::ptrdiff_t k : used) {
    Vector w[Vectors];
    for (int v = 0; v < Vectors; ++v) {
      load(w[v], panel + k * kPanel + v * kLanes<Vector>);
    }
    for (int r = 0; r < Rows; ++r) {
      const float value = x[r * inputs + k];
      for (int v = 0; v < Vectors; ++v) {
        sum[r][v] += value * w[v];
      }
    }
  }
  for (int r = 0; r < Rows; ++r) {
    for (int v = 0; v < Vectors; ++v) {
      std::memcpy(out + std::ptrdiff_t{r} * kPanel + v * kLanes<Vector>, &sum[r][v],
                  sizeof(Vector));
    }
  }
}

// Whole panels for `Rows` rows, then the outputs that exist are copied out.
template <typename Vector, int Rows, int Vectors>
[[gnu::always_inline]] inline void row_block(const PackedDense& layer, int p, const float* x,
                                             std::span<const std::int32_t> used, float* y) {
  alignas(64) float out[Rows * kPanel];
  constexpr std::ptrdiff_t kWidth = Vectors * kLanes<Vector>;
  for (std::ptrdiff_t offset = 0; offset < kPanel; offset += kWidth) {
    tile<Vector, Rows, Vectors>(x, layer.inputs(), used, layer.panel(p) + offset,
                                layer.panel_bias(p) + offset, out + offset);
  }
  const int first = p * kPanel;
  const int count = std::min(kPanel, layer.outputs() - first);
  for (int r = 0; r < Rows; ++r) {
    std::copy_n(out + r * kPanel, count,
                y + static_cast<std::ptrdiff_t>(r) * layer.outputs() + first);
  }
}

// Rows that are computed together, and which inputs are not zero in all of them: one-hot encodings
// and the outputs of ReLUs are mostly zeros, and nets that a search looks at together share most of
// theirs. Leaving out what would add zero changes no result.
struct RowBlock {
  std::int64_t begin;
  std::int64_t rows;
  std::size_t first_used;
  std::size_t end_used;
};

struct RowBlocks {
  std::vector<RowBlock> blocks;
  std::vector<std::int32_t> used;

  std::span<const std::int32_t> used_by(const RowBlock& block) const {
    return std::span(used).subspan(block.first_used, block.end_used - block.first_used);
  }
};

// Blocks of `most` rows, and for what is left of smaller powers of two.
RowBlocks row_blocks(const float* x, std::int64_t rows, std::int64_t inputs, std::int64_t most) {
  RowBlocks result;
  std::vector<std::int32_t> seen(static_cast<std::size_t>(inputs));  // as wide as what it is set by
  for (std::int64_t r = 0; r < rows;) {
    std::int64_t size = most;
    for (std::int64_t power = 8; size > rows - r; power /= 2) {
      size = power < size ? power : size;
    }
    std::ranges::fill(seen, 0);
    for (std::int64_t i = r; i < r + size; ++i) {
      for (std::int64_t k = 0; k < inputs; ++k) {
        seen[static_cast<std::size_t>(k)] |= x[i * inputs + k] != 0.0F ? -1 : 0;
      }
    }
    const std::size_t first_used = result.used.size();
    for (std::int64_t k = 0; k < inputs; ++k) {
      if (seen[static_cast<std::size_t>(k)] != 0) {
        result.used.push_back(static_cast<std::int32_t>(k));
      }
    }
    result.blocks.push_back(
        {.begin = r, .rows = size, .first_used = first_used, .end_used = result.used.size()});
    r += size;
  }
  return result;
}

template <typename Vector, int Rows, int Vectors>
[[gnu::always_inline]] inline void forward(const PackedDense& layer, const float* x,
                                           std::int64_t rows, float* y) {
  const RowBlocks blocks = row_blocks(x, rows, layer.inputs(), Rows);
  for (int p = 0; p < layer.num_panels(); ++p) {
    for (const RowBlock& block : blocks.blocks) {
      const std::span<const std::int32_t> used = blocks.used_by(block);
      const float* from = x + block.begin * layer.inputs();
      float* to = y + block.begin * layer.outputs();
      switch (block.rows) {
        case Rows:
          row_block<Vector, Rows, Vectors>(layer, p, from, used, to);
          break;
        case 8:
          row_block<Vector, 8, Vectors>(layer, p, from, used, to);
          break;
        case 2:
          row_block<Vector, 2, Vectors>(layer, p, from, used, to);
          break;
        case 1:
          row_block<Vector, 1, Vectors>(layer, p, from, used, to);
          break;
        default:  // 4, which is Rows on the smallest processors
          row_block<Vector, 4, Vectors>(layer, p, from, used, to);
      }
    }
  }
}

using Forward = void (*)(const PackedDense&, const float*, std::int64_t, float*);

void forward_portable(const PackedDense& layer, const float* x, std::int64_t rows, float* y) {
  forward<Float4, 4, 2>(layer, x, rows, y);
}

#ifdef LATHE_X86_DISPATCH
[[gnu::target("avx2,fma")]] void forward_avx2(const PackedDense& layer, const float* x,
                                              std::int64_t rows, float* y) {
  forward<Float8, 6, 2>(layer, x, rows, y);
}

[[gnu::target("avx512f,fma")]] void forward_avx512(const PackedDense& layer, const float* x,
                                                   std::int64_t rows, float* y) {
  forward<Float16, 12, 2>(layer, x, rows, y);
}
#endif

Forward choose_forward() {
#ifdef LATHE_X86_DISPATCH
  switch (best_isa()) {
    case Isa::kAvx512:
      return forward_avx512;
    case Isa::kAvx2:
      return forward_avx2;
    case Isa::kGeneric:
      break;
  }
#endif
  return forward_portable;
}

}  // namespace

PackedDense::PackedDense(int inputs, int outputs, std::span<const float> weight,
                         std::span<const float> bias)
    : inputs_(inputs), outputs_(outputs) {
  if (inputs <= 0 || outputs <= 0) {
    throw std::invalid_argument("[regress::PackedDense] inputs and outputs must be > 0, got " +
                                std::to_string(inputs) + " and " + std::to_string(outputs));
  }
  const auto in = static_cast<std::size_t>(inputs);
  const auto out = static_cast<std::size_t>(outputs);
  if (weight.size() != in * out || bias.size() != out) {
    throw std::invalid_argument("[regress::PackedDense] weight and bias must have " +
                                std::to_string(in * out) + " and " + std::to_string(out) +
                                " values, got " + std::to_string(weight.size()) + " and " +
                                std::to_string(bias.size()));
  }
  panels_.assign(static_cast<std::size_t>(num_panels()) * in * kPanel, 0.0F);
  bias_.assign(static_cast<std::size_t>(num_panels()) * kPanel, 0.0F);
  std::ranges::copy(bias, bias_.begin());
  for (std::size_t o = 0; o < out; ++o) {
    float* column = panels_.data() + (o / kPanel) * in * kPanel + o % kPanel;
    for (std::size_t k = 0; k < in; ++k) {
      column[k * kPanel] = weight[o * in + k];
    }
  }
}

const float* PackedDense::panel(int p) const {
  return panels_.data() + static_cast<std::ptrdiff_t>(p) * inputs_ * kPanel;
}

const float* PackedDense::panel_bias(int p) const {
  return bias_.data() + static_cast<std::ptrdiff_t>(p) * kPanel;
}

void dense_forward(const PackedDense& layer, std::span<const float> x, std::int64_t rows,
                   std::span<float> y) {
  const auto in_values = static_cast<std::size_t>(rows) * static_cast<std::size_t>(layer.inputs());
  const auto out_values =
      static_cast<std::size_t>(rows) * static_cast<std::size_t>(layer.outputs());
  if (rows < 0 || x.size() != in_values || y.size() != out_values) {
    throw std::invalid_argument("[regress::dense_forward] " + std::to_string(rows) + " rows need " +
                                std::to_string(in_values) + " and " + std::to_string(out_values) +
                                " values, got " + std::to_string(x.size()) + " and " +
                                std::to_string(y.size()));
  }
  static const Forward kForward = choose_forward();
  kForward(layer, x.data(), rows, y.data());
}

}  // namespace lathe::regress

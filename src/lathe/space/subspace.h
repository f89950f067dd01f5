// The part of a space between two of its nets, as a space of its own: what a run trains that knows
// which nets can be its answers.
#pragma once

#include <memory>

#include "lathe/space/space.h"

namespace lathe::space {

/// The nets of a space that have at least the choices of one net and at most those of another.
/// Its archs are written as archs of the whole space, and read from them; its weights are other
/// weights, so that its name is another.
class Subspace : public Space {
 public:
  /// The arch of the whole space that is the same net. Canonical there.
  virtual Arch to_whole(const Arch& arch) const = 0;
  /// The other way. @throws std::invalid_argument if the net is not in this part: see contains().
  virtual Arch from_whole(const Arch& arch) const = 0;
  virtual bool contains(const Arch& whole_arch) const = 0;
  virtual const Space& whole() const = 0;

 protected:
  using Space::Space;
};

/// Decisions that `lowest` and `highest` agree on are none any more, nor are those that are dead in
/// every net between them; the others have the choices from `lowest`'s to `highest`'s. Dead
/// decisions of the two bound the nets in which they are alive.
/// Called `<whole's name>[<8 hexadecimal digits of the bounds>]`.
/// @throws std::invalid_argument if a choice of `lowest` is above that of `highest`, or an arch is
/// none of the space.
std::shared_ptr<const Subspace> make_subspace(std::shared_ptr<const Space> whole,
                                              const Arch& lowest, const Arch& highest);

/// What a net is called: its space and arch, of a net of a Subspace those of the whole.
struct NamedNet {
  const Space* space = nullptr;
  Arch arch;
};
NamedNet in_whole(const Space& space, const Arch& arch);

/// The whole space of one that may be a part.
const Space& whole_of(const Space& space);

}  // namespace lathe::space

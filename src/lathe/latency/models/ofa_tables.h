// Latency tables as they are published for once-for-all nets.
#pragma once

#include <filesystem>
#include <string>

#include "lathe/latency/models/block_table.h"

namespace lathe::latency {

/// The block costs of `space` from a published table: one YAML file, or a folder of files
/// `<anything>_lookup_table.yaml`, usually one per resolution.
///
/// A file maps row names to `{mean: <ms>, ...}`. Three kinds are known, told apart by their names:
/// - MobileNetV3: `expanded_conv-input:HxWxC-output:HxWxC-expand:<mid channels>-kernel:k-stride:s-`
///   `idskip:0|1-se:0|1-hs:0|1`, and `Conv`, `Conv_1`, `AvgPool2D`, `Conv_2`, `Logits`;
/// - ProxylessNAS: `expanded_conv` rows of which `expand` is the ratio and that end with idskip;
///   `Logits` is everything from the pool on;
/// - MobileNetV3 as NSGANetV2 has it: `MBConv` rows of which `expand` is the ratio and that end
/// with
///   se; `first_conv`, `final_expand_layer`, `feature_mix_layer`, `classifier`, and none for the
///   pool, which costs nothing then.
///
/// The resolutions are those of the first convolution's rows. A block has a coefficient if it is
/// part of a net at one of them (BlockTable::covers() of the rest is false); where files disagree
/// on a block, each resolution keeps its own, so that a total is the sum of that file's rows.
/// Rows that no block asks for are ignored.
///
/// The fingerprint names the file or folder as the device, and nothing that a table doesn't say.
/// @throws Error naming the file: unreadable, above 4 MiB, not YAML of this form (also anchors,
/// aliases and deeper nesting), a mean that is not in (0, 1e9) ms; a row that `space` needs is
/// missing (the built-in spaces that the table does fit are named: tables of other widths); no
/// resolution of `space`; a resolution twice, or another than the file's name begins with.
/// @see Cai et al., "Once-for-All", ICLR 2020, whose latency tables these are.
BlockCosts load_ofa_tables(const space::Space& space, const std::filesystem::path& path);

}  // namespace lathe::latency

// The checksum of record files: CRC-32C.
#pragma once

#include <cstdint>
#include <string_view>

namespace lathe {

/// CRC-32 with Castagnoli's polynomial, reflected, as in iSCSI. O(bytes), a table look-up each.
/// @see RFC 3720, appendix B.4.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace lathe

// A SHA-256 digest or a code as long as one.
#pragma once

#include <array>
#include <string_view>

namespace obol { inline namespace v0 { namespace sealing {

using Digest = std::array<unsigned char, 32>;

inline std::string_view as_text(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}}}  // namespace obol::v0::sealing

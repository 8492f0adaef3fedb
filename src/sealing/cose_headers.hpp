// What every COSE structure begins with (RFC 9052, section 3): its tag and its two headers.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "sealing/cbor.hpp"

namespace obol { inline namespace v0 { namespace sealing {

/// Views into the bytes they were read from.
struct CoseHeaders {
  bool tagged = false;
  std::string_view protected_header;  ///< Empty also where an empty map was written.
  std::optional<std::int64_t> algorithm;
  std::optional<std::string_view> key_id;                 ///< Of the unprotected header.
  std::optional<std::string_view> initialization_vector;  ///< Of the unprotected header.
};

/// Labels of the header parameters (RFC 9052, section 3.1).
constexpr std::uint64_t algorithm_label = 1;
constexpr std::uint64_t key_id_label = 4;
constexpr std::uint64_t initialization_vector_label = 5;

/// Reads the tag, which may be missing, the array of `items` and both headers. False where they are malformed, name
/// the algorithm twice, or hold any other parameter.
bool read_headers(cbor::Reader& reader, std::uint64_t tag_number, std::uint64_t items, CoseHeaders& headers);

}}}  // namespace obol::v0::sealing

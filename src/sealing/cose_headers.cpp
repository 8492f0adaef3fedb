// Reads the beginning of a COSE structure.
#include "sealing/cose_headers.hpp"

namespace obol { inline namespace v0 { namespace sealing {
namespace {

bool read_algorithm(cbor::Reader& reader, CoseHeaders& headers) {
  if (headers.algorithm) return false;
  headers.algorithm = reader.integer();
  return headers.algorithm.has_value();
}

bool read_bytes(cbor::Reader& reader, std::optional<std::string_view>& value) {
  value = reader.bytes();
  return value.has_value();
}

bool read_parameter(cbor::Reader& reader, std::uint64_t label, CoseHeaders& headers, bool is_protected) {
  if (label == algorithm_label) return read_algorithm(reader, headers);
  if (is_protected) return false;
  if (label == key_id_label) return read_bytes(reader, headers.key_id);
  return label == initialization_vector_label && read_bytes(reader, headers.initialization_vector);
}

bool read_map(cbor::Reader& reader, CoseHeaders& headers, bool is_protected) {
  const auto parameters = reader.map();
  if (!parameters || *parameters > 3) return false;
  std::uint64_t previous = 0;
  for (std::uint64_t i = 0; i < *parameters; ++i) {
    const auto label = reader.unsigned_integer();
    if (!label || *label <= previous || !read_parameter(reader, *label, headers, is_protected)) return false;
    previous = *label;
  }
  return true;
}

bool read_protected_header(std::string_view header, CoseHeaders& headers) {
  if (header.empty()) return true;
  cbor::Reader reader(header);
  if (!read_map(reader, headers, true) || !reader.at_end()) return false;
  // RFC 9052, section 3: an empty map counts as an empty string in what is signed.
  if (headers.algorithm) headers.protected_header = header;
  return true;
}

}  // namespace

bool read_headers(cbor::Reader& reader, std::uint64_t tag_number, std::uint64_t items, CoseHeaders& headers) {
  if (reader.next_major() == 6U) {
    if (reader.tag() != tag_number) return false;
    headers.tagged = true;
  }
  if (reader.array() != items) return false;
  const auto protected_header = reader.bytes();
  return protected_header && read_protected_header(*protected_header, headers) && read_map(reader, headers, false);
}

}}}  // namespace obol::v0::sealing

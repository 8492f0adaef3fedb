// Signs and verifies COSE_Mac0 in Obol's form.
#include "sealing/cose_mac0.hpp"

#include <array>
#include <cstddef>
#include <memory_resource>

#include "sealing/cbor.hpp"

namespace obol { inline namespace v0 { namespace sealing {

std::optional<Digest> mac0_tag(const HmacKey& key, std::string_view protected_header, std::string_view external_data,
                               std::string_view payload) {
  // In one piece where it is short: each piece costs the hash as much as a hundred bytes.
  std::array<std::byte, 2048> buffer;
  std::pmr::monotonic_buffer_resource memory(buffer.data(), buffer.size());
  std::pmr::string structure(&memory);
  const auto before_payload = protected_header.size() + external_data.size() + 32;
  const bool is_short = before_payload + payload.size() < buffer.size();
  structure.reserve(before_payload + (is_short ? payload.size() : 0));
  cbor::Writer(structure).array(4).text("MAC0").bytes(protected_header).bytes(external_data).bytes_head(payload.size());
  if (!is_short) return key.compute({structure, payload});
  structure.append(payload);
  return key.compute({structure});
}

bool write_mac0(std::string& out, const LoadedKey& key, std::string_view external_data, std::string_view payload,
                const Mac0Form& form) {
  const auto tag = mac0_tag(*key.hmac, form.protected_header, external_data, payload);
  if (!tag) return false;
  out.reserve(out.size() + form.before_key_id.size() + payload.size() + key.id.size() + 64);
  out += form.before_key_id;
  cbor::Writer(out).bytes(key.id).bytes(payload).bytes(as_text(*tag));
  return true;
}

std::expected<std::string_view, VerificationFailure> open_mac0(std::string_view bytes, std::string_view external_data,
                                                               const KeyringKeys& keys, const Mac0Form& form) {
  if (!bytes.starts_with(form.before_key_id)) return std::unexpected(VerificationFailure::malformed);
  cbor::Reader reader(bytes.substr(form.before_key_id.size()));
  const auto key_id = reader.bytes();
  const auto payload = reader.bytes();
  const auto tag = reader.bytes();
  if (!key_id || !payload || !tag || tag->size() != Digest{}.size() || !reader.at_end()) {
    return std::unexpected(VerificationFailure::malformed);
  }
  const LoadedKey* key = keys.find(*key_id);
  if (key == nullptr) return std::unexpected(VerificationFailure::unknown_key);
  const auto expected = mac0_tag(*key->hmac, form.protected_header, external_data, *payload);
  if (!expected || !equal_constant_time(as_text(*expected), *tag)) {
    return std::unexpected(VerificationFailure::bad_signature);
  }
  return *payload;
}

}}}  // namespace obol::v0::sealing

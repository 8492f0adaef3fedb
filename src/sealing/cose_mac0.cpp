// Reads, writes, signs and verifies COSE_Mac0.
#include "sealing/cose_mac0.hpp"

#include "sealing/cbor.hpp"

namespace obol::inline v0::sealing {
namespace {

constexpr std::uint64_t mac0_tag_number = 17;
constexpr std::int64_t hmac_256_256 = 5;
constexpr std::string_view algorithm_header = "\xA1\x01\x05";

bool is_obols_form(const Mac0& mac0) {
  return mac0.tagged && mac0.protected_header == algorithm_header && mac0.key_id && mac0.tag.size() == Digest{}.size();
}

}  // namespace

std::optional<Mac0> parse_mac0(std::string_view bytes) {
  cbor::Reader reader(bytes);
  Mac0 mac0;
  if (!read_headers(reader, mac0_tag_number, 4, mac0)) return std::nullopt;
  if (mac0.algorithm != hmac_256_256 || mac0.initialization_vector) return std::nullopt;
  const auto payload = reader.bytes();
  const auto tag = reader.bytes();
  if (!payload || !tag || !reader.at_end()) return std::nullopt;
  mac0.payload = *payload;
  mac0.tag = *tag;
  return mac0;
}

std::optional<Digest> mac0_tag(const HmacKey& key, std::string_view protected_header, std::string_view external_data,
                               std::string_view payload) {
  std::string before_payload;
  before_payload.reserve(protected_header.size() + external_data.size() + 32);
  cbor::Writer(before_payload)
      .array(4)
      .text("MAC0")
      .bytes(protected_header)
      .bytes(external_data)
      .bytes_head(payload.size());
  return key.compute({before_payload, payload});
}

bool write_mac0(std::string& out, const LoadedKey& key, std::string_view external_data, std::string_view payload) {
  const auto tag = mac0_tag(*key.hmac, algorithm_header, external_data, payload);
  if (!tag) return false;
  out.reserve(out.size() + payload.size() + key.id.size() + 64);
  cbor::Writer writer(out);
  writer.tag(mac0_tag_number).array(4).bytes(algorithm_header);
  writer.map(1).unsigned_integer(key_id_label).bytes(key.id);
  writer.bytes(payload).bytes(as_text(*tag));
  return true;
}

std::expected<std::string_view, VerificationFailure> open_mac0(std::string_view bytes, std::string_view external_data,
                                                               const KeyringKeys& keys) {
  const auto mac0 = parse_mac0(bytes);
  if (!mac0 || !is_obols_form(*mac0)) return std::unexpected(VerificationFailure::malformed);
  const LoadedKey* key = keys.find(*mac0->key_id);
  if (key == nullptr) return std::unexpected(VerificationFailure::unknown_key);
  const auto expected = mac0_tag(*key->hmac, mac0->protected_header, external_data, mac0->payload);
  if (!expected || !equal_constant_time(as_text(*expected), mac0->tag)) {
    return std::unexpected(VerificationFailure::bad_signature);
  }
  return mac0->payload;
}

}  // namespace obol::inline v0::sealing

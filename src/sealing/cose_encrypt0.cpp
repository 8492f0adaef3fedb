// Reads, writes, encrypts and decrypts COSE_Encrypt0.
#include "sealing/cose_encrypt0.hpp"

#include "sealing/cbor.hpp"

namespace obol { inline namespace v0 { namespace sealing {
namespace {

constexpr std::uint64_t encrypt0_tag_number = 16;
constexpr char encrypt0_tag_byte = '\xD0';
constexpr std::int64_t aes_128_gcm = 1;
constexpr std::int64_t aes_256_gcm = 3;
constexpr std::string_view encrypt0_algorithm = "\xA1\x01\x03";

bool is_obols_form(const Encrypt0& message) {
  return message.tagged && message.protected_header == encrypt0_algorithm && message.key_id &&
         message.initialization_vector && message.initialization_vector->size() == AesGcmKey::nonce_bytes;
}

}  // namespace

std::optional<Encrypt0> parse_encrypt0(std::string_view bytes) {
  cbor::Reader reader(bytes);
  Encrypt0 message;
  if (!read_headers(reader, encrypt0_tag_number, 3, message)) return std::nullopt;
  if (message.algorithm != aes_128_gcm && message.algorithm != aes_256_gcm) return std::nullopt;
  const auto ciphertext = reader.bytes();
  if (!ciphertext || !reader.at_end()) return std::nullopt;
  message.ciphertext = *ciphertext;
  return message;
}

std::string encrypt0_bound_data(std::string_view protected_header, std::string_view external_data) {
  std::string data;
  data.reserve(protected_header.size() + external_data.size() + 24);
  cbor::Writer(data).array(3).text("Encrypt0").bytes(protected_header).bytes(external_data);
  return data;
}

bool is_encrypt0(std::string_view bytes) { return bytes.starts_with(encrypt0_tag_byte); }

bool write_encrypt0(std::string& out, const LoadedKey& key, const AesGcmKey::Nonce& nonce,
                    std::string_view external_data, std::string_view payload) {
  const auto ciphertext = key.aes->encrypt(nonce, encrypt0_bound_data(encrypt0_algorithm, external_data), payload);
  if (!ciphertext) return false;
  out.reserve(out.size() + ciphertext->size() + key.id.size() + 40);
  cbor::Writer writer(out);
  writer.tag(encrypt0_tag_number).array(3).bytes(encrypt0_algorithm).map(2);
  writer.unsigned_integer(key_id_label).bytes(key.id);
  writer.unsigned_integer(initialization_vector_label)
      .bytes({reinterpret_cast<const char*>(nonce.data()), nonce.size()});
  writer.bytes(*ciphertext);
  return true;
}

std::expected<std::string, VerificationFailure> open_encrypt0(std::string_view bytes, std::string_view external_data,
                                                              const KeyringKeys& keys) {
  const auto message = parse_encrypt0(bytes);
  if (!message || !is_obols_form(*message)) return std::unexpected(VerificationFailure::malformed);
  const LoadedKey* key = keys.find(*message->key_id);
  if (key == nullptr) return std::unexpected(VerificationFailure::unknown_key);
  auto payload = key->aes->decrypt(*message->initialization_vector,
                                   encrypt0_bound_data(message->protected_header, external_data), message->ciphertext);
  if (!payload) return std::unexpected(VerificationFailure::bad_signature);
  return std::move(*payload);
}

}}}  // namespace obol::v0::sealing

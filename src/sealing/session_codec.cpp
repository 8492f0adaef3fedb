// Encodes and decodes the signed map of a session.
#include "sealing/session_codec.hpp"

#include <optional>

#include "sealing/cbor.hpp"

namespace obol { inline namespace v0 { namespace sealing {
namespace {

constexpr std::uint64_t format_version = 1;

enum Key : std::uint64_t {
  key_format_version = 1,
  key_created_at,
  key_refreshed_at,
  key_refresh_expires_at,
  key_tokens_fresh_from,
  key_prev_tokens_fresh_from,
  key_expires_at,
  key_refresh_token_id,
  key_extra_payload,
  key_write_id,
};

std::int64_t seconds(std::chrono::sys_seconds time) { return time.time_since_epoch().count(); }

bool read_time(cbor::Reader& reader, std::chrono::sys_seconds& time) {
  const auto value = reader.integer();
  if (value) time = std::chrono::sys_seconds(std::chrono::seconds(*value));
  return value.has_value();
}

bool read_bytes(cbor::Reader& reader, std::string& bytes) {
  const auto value = reader.bytes();
  if (value) bytes = *value;
  return value.has_value();
}

bool read_write_id(cbor::Reader& reader) {
  const auto value = reader.bytes();
  return value && value->size() == WriteId{}.size();
}

bool read_value(cbor::Reader& reader, std::uint64_t key, Session& session) {
  switch (key) {
    case key_created_at:
      return read_time(reader, session.created_at);
    case key_refreshed_at:
      return read_time(reader, session.refreshed_at);
    case key_refresh_expires_at:
      return read_time(reader, session.refresh_expires_at);
    case key_tokens_fresh_from:
      return read_time(reader, session.tokens_fresh_from);
    case key_prev_tokens_fresh_from:
      return read_time(reader, session.prev_tokens_fresh_from);
    case key_expires_at:
      return read_time(reader, session.expires_at.emplace());
    case key_refresh_token_id:
      return read_bytes(reader, session.refresh_token_id);
    case key_extra_payload:
      return read_bytes(reader, session.extra_payload);
    case key_write_id:
      return read_write_id(reader);
    default:
      return reader.skip();
  }
}

constexpr std::uint64_t bit(std::uint64_t key) { return std::uint64_t{1} << key; }

constexpr std::uint64_t required = bit(key_created_at) | bit(key_refreshed_at) | bit(key_refresh_expires_at) |
                                   bit(key_tokens_fresh_from) | bit(key_prev_tokens_fresh_from) |
                                   bit(key_refresh_token_id) | bit(key_extra_payload) | bit(key_write_id);

}  // namespace

std::string encode_session(const Session& session, const WriteId& write_id) {
  std::string out;
  out.reserve(session.refresh_token_id.size() + session.extra_payload.size() + 80);
  cbor::Writer writer(out);
  writer.map(session.expires_at ? 10 : 9);
  writer.unsigned_integer(key_format_version).unsigned_integer(format_version);
  writer.unsigned_integer(key_created_at).integer(seconds(session.created_at));
  writer.unsigned_integer(key_refreshed_at).integer(seconds(session.refreshed_at));
  writer.unsigned_integer(key_refresh_expires_at).integer(seconds(session.refresh_expires_at));
  writer.unsigned_integer(key_tokens_fresh_from).integer(seconds(session.tokens_fresh_from));
  writer.unsigned_integer(key_prev_tokens_fresh_from).integer(seconds(session.prev_tokens_fresh_from));
  if (session.expires_at) writer.unsigned_integer(key_expires_at).integer(seconds(*session.expires_at));
  writer.unsigned_integer(key_refresh_token_id).bytes(session.refresh_token_id);
  writer.unsigned_integer(key_extra_payload).bytes(session.extra_payload);
  writer.unsigned_integer(key_write_id).bytes({reinterpret_cast<const char*>(write_id.data()), write_id.size()});
  return out;
}

std::expected<void, VerificationFailure> decode_session(std::string_view bytes, Session& session) {
  const auto malformed = std::unexpected(VerificationFailure::malformed);
  cbor::Reader reader(bytes);
  const auto pairs = reader.map();
  if (!pairs || *pairs == 0 || reader.unsigned_integer() != std::uint64_t{key_format_version}) return malformed;
  const auto version = reader.unsigned_integer();
  if (!version || *version == 0) return malformed;
  if (*version > format_version) return std::unexpected(VerificationFailure::newer_format);

  session.expires_at.reset();
  std::uint64_t previous = key_format_version;
  std::uint64_t seen = 0;
  for (std::uint64_t i = 1; i < *pairs; ++i) {
    const auto key = reader.unsigned_integer();
    if (!key || *key <= previous || !read_value(reader, *key, session)) return malformed;
    previous = *key;
    if (*key <= key_write_id) seen |= bit(*key);
  }
  if ((seen & required) != required || !reader.at_end()) return malformed;
  return {};
}

}}}  // namespace obol::v0::sealing

// Writes and reads the lines of an export.
#include "obolctl/export_format.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <stdexcept>

#include "base/base64url.hpp"
#include "obol/session_limits.hpp"
#include "obolctl/json.hpp"

namespace obol::ctl {
namespace {

constexpr int format_version = 1;

std::int64_t count_of(FieldExpiry time) { return time.time_since_epoch().count(); }

Json json_of(const ExportHeader& header) {
  return {{"obol_export", format_version},
          {"key_prefix", base64url_encode(header.key_prefix)},
          {"server", header.server},
          {"created_at", header.created_at.time_since_epoch().count()}};
}

Json json_of(const ExportedSession& session) {
  return {{"user_id", base64url_encode(session.user_id)},
          {"type", session.type},
          {"id", base64url_encode(session.id)},
          {"expires_at", count_of(session.expires_at)},
          {"sealed", base64url_encode(session.sealed)}};
}

Json json_of(const ExportedMark& mark) {
  return {{"user_id", base64url_encode(mark.user_id)},
          {"type", mark.type},
          {"expires_at", count_of(mark.expires_at)},
          {"mark", mark.mark}};
}

Json json_of(const Checkpoint& checkpoint) {
  return {{"cursor", checkpoint.cursor}, {"at_marks", checkpoint.is_at_marks}, {"run_id", checkpoint.run_id}};
}

Json json_of(const ExportTrailer& trailer) {
  return {{"sessions", trailer.sessions}, {"marks", trailer.marks}, {"sha256", trailer.sha256}};
}

std::string bytes_of(const Json& object, const char* name) {
  auto bytes = base64url_decode(object.at(name).get_ref<const std::string&>());
  if (!bytes) throw std::invalid_argument("not base64url");
  return std::move(*bytes);
}

FieldExpiry time_of(const Json& object) {
  return FieldExpiry(std::chrono::milliseconds(object.at("expires_at").get<std::int64_t>()));
}

ExportLine header_of(const Json& object) {
  if (object.at("obol_export") != format_version) throw std::invalid_argument("another version");
  return ExportHeader{
      .key_prefix = bytes_of(object, "key_prefix"),
      .server = object.at("server"),
      .created_at = std::chrono::sys_seconds(std::chrono::seconds(object.at("created_at").get<std::int64_t>()))};
}

ExportLine session_of(const Json& object) {
  ExportedSession session{.user_id = bytes_of(object, "user_id"),
                          .type = object.at("type"),
                          .id = bytes_of(object, "id"),
                          .expires_at = time_of(object),
                          .sealed = bytes_of(object, "sealed")};
  if (!validate(SessionKey{.user_id = session.user_id, .type = session.type, .id = session.id})) {
    throw std::invalid_argument("no session");
  }
  return session;
}

ExportLine mark_of(const Json& object) {
  ExportedMark mark{.user_id = bytes_of(object, "user_id"),
                    .type = object.at("type"),
                    .expires_at = time_of(object),
                    .mark = object.at("mark")};
  if (!validate(mark.user_id, mark.type) || !is_mark(mark.mark)) throw std::invalid_argument("no mark");
  return mark;
}

ExportLine line_of(const Json& object) {
  if (object.contains("sealed")) return session_of(object);
  if (object.contains("mark")) return mark_of(object);
  if (object.contains("cursor")) {
    return Checkpoint{
        .run_id = object.at("run_id"), .is_at_marks = object.at("at_marks"), .cursor = object.at("cursor")};
  }
  if (object.contains("sha256")) {
    return ExportTrailer{.sessions = object.at("sessions"), .marks = object.at("marks"), .sha256 = object.at("sha256")};
  }
  return header_of(object);
}

}  // namespace

bool is_mark(std::string_view text) {
  return !text.empty() && text.size() < 20 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string to_text(const ExportLine& line) {
  return std::visit([](const auto& alternative) { return json_of(alternative).dump(); }, line) + '\n';
}

std::optional<ExportLine> parse_export_line(std::string_view text) {
  try {
    return line_of(Json::parse(text));
  } catch (const Json::exception&) {
    return std::nullopt;
  } catch (const std::invalid_argument&) {
    return std::nullopt;
  }
}

Checksum::Checksum() : context_(EVP_MD_CTX_new()) {
  if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("OpenSSL cannot do SHA-256 here");
  }
}

void Checksum::add(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }

std::string Checksum::hex() const {
  const std::unique_ptr<evp_md_ctx_st, Free> copy(EVP_MD_CTX_new());
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (!copy || EVP_MD_CTX_copy_ex(copy.get(), context_.get()) != 1 ||
      EVP_DigestFinal_ex(copy.get(), digest.data(), &size) != 1) {
    throw std::runtime_error("OpenSSL cannot do SHA-256 here");
  }
  std::string hex;
  for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

void Checksum::Free::operator()(evp_md_ctx_st* context) const noexcept { EVP_MD_CTX_free(context); }

}  // namespace obol::ctl

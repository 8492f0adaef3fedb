// Reads the server's kind and version out of HELLO's reply and holds them against what Obol needs.
#include "redis/protocol/server_version.hpp"

#include <fmt/format.h>

#include <charconv>

namespace obol { inline namespace v0 { namespace redis {
namespace {

constexpr std::string_view needed = "Obol needs Redis 8.0 or newer, or Valkey 9.0 or newer";

int major_version(std::string_view version) {
  int major = 0;
  std::from_chars(version.data(), version.data() + version.size(), major);
  return major;
}

}  // namespace

Result<ServerVersion> check_server_version(const Reply& hello) {
  const Reply* kind = hello.find("server");
  const Reply* version = hello.find("version");
  if (kind == nullptr || version == nullptr) {
    return std::unexpected(Error{
        ErrorCode::unsupported_server,
        fmt::format("the reply to HELLO does not say what the server is (is a proxy answering instead?); {}", needed)});
  }
  const bool valkey = kind->text == "valkey";
  ServerVersion found{.kind = valkey ? "Valkey" : "Redis", .version = std::string(version->text.substr(0, 32))};
  if (major_version(found.version) >= (valkey ? 9 : 8)) return found;
  return std::unexpected(Error{
      ErrorCode::unsupported_server,
      fmt::format(
          "{} found; {}{}", found.name(), needed,
          valkey ? "" : " (a Valkey with extended-redis-compatibility calls itself Redis 7.2: switch that off)")});
}

}}}  // namespace obol::v0::redis

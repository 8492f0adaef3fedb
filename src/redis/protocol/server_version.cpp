// Reads the server's kind and version out of HELLO's reply.
#include "redis/protocol/server_version.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace obol { inline namespace v0 { namespace redis {
namespace {

constexpr std::size_t most_letters = 32;

/// A text of the server that messages may repeat.
std::string short_text(const Reply* field) {
  if (field == nullptr || field->kind != Reply::Kind::text) return {};
  std::string text(field->text.substr(0, most_letters));
  std::ranges::replace_if(text, [](char letter) { return letter <= ' ' || letter > '~'; }, '?');
  return text;
}

std::string kind_of(const std::string& said) {
  if (said == "redis") return "Redis";
  if (said == "valkey") return "Valkey";
  return said.empty() ? "unknown server" : said;
}

int major_version(std::string_view version) {
  int major = 0;
  std::from_chars(version.data(), version.data() + version.size(), major);
  return major;
}

}  // namespace

bool ServerVersion::is_tested() const {
  const auto major = major_version(version);
  return (kind == "Redis" && major >= 8) || (kind == "Valkey" && major >= 9);
}

Result<ServerVersion> server_version_in(const Reply& hello) {
  if (hello.kind == Reply::Kind::map) {
    return ServerVersion{.kind = kind_of(short_text(hello.find("server"))),
                         .version = short_text(hello.find("version"))};
  }
  return std::unexpected(
      Error{ErrorCode::unsupported_server,
            fmt::format("the reply to HELLO does not say what the server is (is a proxy answering instead?); Obol "
                        "needs {}, or a server that can do the same",
                        tested_servers)});
}

}}}  // namespace obol::v0::redis

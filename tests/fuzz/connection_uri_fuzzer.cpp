// Fuzzes connection URIs: what is accepted means one thing, and no refusal depends on the password.
#include <cctype>
#include <cstdint>
#include <string>
#include <string_view>

#include "input.hpp"
#include "obol/redis_options.hpp"
#include "require.hpp"

namespace obol::fuzz {
namespace {

bool same_but_password(const ConnectionOptions& left, const ConnectionOptions& right) {
  return left.host == right.host && left.port == right.port && left.unix_socket == right.unix_socket &&
         left.username == right.username && left.database == right.database && left.client_name == right.client_name;
}

std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) {
      encoded += c;
    } else {
      encoded += {'%', "0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
    }
  }
  return encoded;
}

std::string written(const ConnectionOptions& options) {
  const bool unix_socket = !options.unix_socket.empty();
  std::string uri = unix_socket ? "unix://" : "redis://";
  uri += percent_encoded(options.username) + ':' + percent_encoded(options.password) + '@';
  uri += unix_socket ? '/' + percent_encoded(options.unix_socket.substr(1))
                     : percent_encoded(options.host) + ':' + std::to_string(options.port);
  return uri + "?db=" + std::to_string(options.database) + "&client_name=" + percent_encoded(options.client_name);
}

void check_accepted(const ConnectionOptions& options) {
  for (const auto* text :
       {&options.host, &options.unix_socket, &options.username, &options.password, &options.client_name}) {
    require(text->find('\0') == std::string::npos, "no part holds a zero byte");
  }
  require(options.port != 0 && !options.host.empty(), "an accepted address can be connected to");
  require(options.unix_socket.empty() || options.unix_socket.starts_with('/'), "a socket's path is absolute");
  require(options.username.empty() || !options.password.empty(), "no user comes without a password");
  const auto again = ConnectionOptions::from_uri(written(options));
  require(again && same_but_password(*again, options) && again->password == options.password,
          "options that were read can be written as a URI again");
}

/// Where the password stands in a URI: from the first ':' to the last '@' before the path. Empty where there is none.
std::string_view password_in(std::string_view uri) {
  const auto scheme_end = uri.find("://");
  if (scheme_end == std::string_view::npos) return {};
  auto credentials = uri.substr(scheme_end + 3);
  credentials = credentials.substr(0, credentials.find_first_of("/?"));
  const auto end = credentials.rfind('@');
  const auto start = credentials.find(':');
  if (end == std::string_view::npos || start >= end) return {};
  return credentials.substr(start + 1, end - start - 1);
}

/// The URI with another password of the same length; percent-encodings and zero bytes, which may be refused, stay.
std::string with_other_password(std::string_view uri) {
  const auto password = password_in(uri);
  std::string other(uri);
  const auto start = password.empty() ? 0 : static_cast<std::size_t>(password.data() - uri.data());
  for (std::size_t i = 0; i < password.size(); ++i) {
    if (password[i] == '%') {
      i += 2;
    } else if (password[i] != '\0') {
      other[start + i] = password[i] == 'x' ? 'y' : 'x';
    }
  }
  return other;
}

void check_password_stays_secret(std::string_view uri, const Result<ConnectionOptions>& options) {
  const auto other = ConnectionOptions::from_uri(with_other_password(uri));
  require(other.has_value() == options.has_value(), "which password is given decides nothing");
  if (options) {
    require(same_but_password(*options, *other) && options->password.size() == other->password.size(),
            "a password is read into the password alone");
  } else {
    require(options.error().message == other.error().message, "no refusal depends on the password");
  }
}

}  // namespace
}  // namespace obol::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto uri = obol::fuzz::Input(data, size).rest();
  const auto options = obol::ConnectionOptions::from_uri(uri);
  if (options) {
    obol::fuzz::check_accepted(*options);
  } else {
    obol::fuzz::require(options.error().code == obol::ErrorCode::invalid_argument, "a refused URI is invalid_argument");
  }
  obol::fuzz::check_password_stays_secret(uri, options);
  return 0;
}

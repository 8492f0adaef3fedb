// Reads redis://, rediss:// and unix:// addresses into ConnectionOptions.
#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "obol/redis_options.hpp"

namespace obol::inline v0 {
namespace {

constexpr std::string_view forms =
    "redis://[user[:password]@]host[:port][/database] (rediss:// for TLS) or unix://[user[:password]@]/path, with "
    "optional ?client_name=NAME and ?db=N, and with rediss:// ca_file, certificate_file, private_key_file, server_name "
    "and insecure_skip_verification=true";

// The message never repeats the address: it may hold a password.
std::unexpected<Error> refuse(std::string_view what) {
  return std::unexpected(
      Error{ErrorCode::invalid_argument, fmt::format("in the connection URI {}; write {}", what, forms)});
}

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<unsigned char> hex_byte(std::string_view digits) {
  unsigned char value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (digits.size() != 2 || error != std::errc{} || end != digits.data() + 2) return std::nullopt;
  return value;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const auto byte = hex_byte(text.substr(i + 1, 2));
    if (!byte || *byte == 0) return std::nullopt;
    decoded += static_cast<char>(*byte);
    i += 2;
  }
  return decoded;
}

/// Splits at the first `separator`; the second part is nothing where there is none.
std::pair<std::string_view, std::optional<std::string_view>> split(std::string_view text, char separator) {
  const auto position = text.find(separator);
  if (position == std::string_view::npos) return {text, std::nullopt};
  return {text.substr(0, position), text.substr(position + 1)};
}

Result<void> read_credentials(std::string_view text, ConnectionOptions& options) {
  const auto [user, password] = split(text, ':');
  const auto decoded_user = percent_decoded(user);
  const auto decoded_password = percent_decoded(password.value_or(""));
  if (!decoded_user || !decoded_password) return refuse("the user name or password has a bad percent-encoding");
  if (!decoded_user->empty() && decoded_password->empty()) return refuse("there is a user name without a password");
  options.username = *decoded_user;
  options.password = *decoded_password;
  return {};
}

Result<void> read_database(std::string_view text, ConnectionOptions& options) {
  const auto database = number<std::uint32_t>(text);
  if (!database) return refuse("the database is no number");
  options.database = *database;
  return {};
}

/// Null where TLS has no parameter of that name.
std::string* tls_text(std::string_view name, TlsOptions& tls) {
  if (name == "ca_file") return &tls.ca_file;
  if (name == "certificate_file") return &tls.certificate_file;
  if (name == "private_key_file") return &tls.private_key_file;
  if (name == "server_name") return &tls.server_name;
  return nullptr;
}

Result<void> read_parameter(std::string_view name, std::string value, ConnectionOptions& options) {
  if (name == "db") return read_database(value, options);
  if (name == "client_name") {
    options.client_name = std::move(value);
    return {};
  }
  if (options.tls.enabled) {
    if (std::string* text = tls_text(name, options.tls)) {
      *text = std::move(value);
      return {};
    }
    if (name == "insecure_skip_verification" && (value == "true" || value == "false")) {
      options.tls.insecure_skip_verification = value == "true";
      return {};
    }
  }
  return refuse("there is a parameter that is unknown, or of another scheme, or has no such value");
}

Result<void> read_parameters(std::string_view text, ConnectionOptions& options) {
  std::optional<std::string_view> rest = text;
  while (rest) {
    const auto [parameter, more] = split(*rest, '&');
    rest = more;
    const auto [name, value] = split(parameter, '=');
    auto decoded = percent_decoded(value.value_or(""));
    if (!decoded) return refuse("a parameter has a bad percent-encoding");
    if (auto read = read_parameter(name, std::move(*decoded), options); !read) return read;
  }
  return {};
}

Result<void> read_host_and_port(std::string_view text, ConnectionOptions& options) {
  std::string_view host = text;
  std::optional<std::string_view> port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return refuse("an IPv6 address lacks its ']'");
    host = text.substr(1, end - 1);
    const auto behind = text.substr(end + 1);
    if (!behind.empty() && behind.front() != ':') return refuse("there is something between ']' and the port");
    if (!behind.empty()) port = behind.substr(1);
  } else {
    std::tie(host, port) = split(text, ':');
  }
  const auto decoded = percent_decoded(host);
  if (!decoded || decoded->empty()) return refuse("the host is missing");
  options.host = *decoded;
  if (!port) return {};
  const auto value = number<std::uint16_t>(*port);
  if (!value || *value == 0) return refuse("the port is no number from 1 to 65535");
  options.port = *value;
  return {};
}

}  // namespace

Result<ConnectionOptions> ConnectionOptions::from_uri(std::string_view uri) {
  if (uri.find('\0') != std::string_view::npos) return refuse("there is a zero byte");
  ConnectionOptions options;
  const auto scheme_end = uri.find("://");
  const auto scheme = scheme_end == std::string_view::npos ? std::string_view{} : uri.substr(0, scheme_end);
  if (scheme != "redis" && scheme != "rediss" && scheme != "unix") {
    return refuse("the scheme is not redis://, rediss:// or unix://");
  }
  options.tls.enabled = scheme == "rediss";

  const auto [address, parameters] = split(uri.substr(scheme_end + 3), '?');
  const auto path_start = address.find('/');
  std::string_view authority = address.substr(0, path_start);
  const auto path = path_start == std::string_view::npos ? std::string_view{} : address.substr(path_start);
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    if (auto read = read_credentials(authority.substr(0, at), options); !read) return std::unexpected(read.error());
    authority.remove_prefix(at + 1);
  }

  Result<void> read;
  if (scheme == "unix") {
    const auto decoded = percent_decoded(path);
    if (!authority.empty() || !decoded || decoded->size() < 2) return refuse("the path of the unix socket is missing");
    options.unix_socket = *decoded;
  } else {
    read = read_host_and_port(authority, options);
    if (read && path.size() > 1) read = read_database(path.substr(1), options);
  }
  if (read && parameters) read = read_parameters(*parameters, options);
  if (!read) return std::unexpected(read.error());
  return options;
}

}  // namespace obol::inline v0

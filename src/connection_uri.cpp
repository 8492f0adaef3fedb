// Reads connection URIs into ConnectionOptions.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "decimal.hpp"
#include "obol/redis_options.hpp"

namespace obol::inline v0 {
namespace {

constexpr std::string_view forms =
    "redis://[user[:password]@]host[:port][/database], redis+sentinel://[user[:password]@]host[:port],.../primary_name"
    "[/database], redis+cluster://[user[:password]@]host[:port],... (rediss for TLS) or "
    "unix://[user[:password]@]/path, "
    "with optional ?client_name=NAME and ?db=N, with Sentinel sentinel_username and sentinel_password, and with TLS "
    "ca_file, certificate_file, private_key_file, server_name and insecure_skip_verification=true";

constexpr std::uint16_t default_port = 6379;
constexpr std::uint16_t default_sentinel_port = 26379;

// The message never repeats the address: it may hold a password.
std::unexpected<Error> refuse(std::string_view what) {
  return std::unexpected(
      Error{ErrorCode::invalid_argument, fmt::format("in the connection URI {}; write {}", what, forms)});
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
  const auto database = decimal<std::uint32_t>(text);
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
  if (name == "db" && options.cluster.seeds.empty()) return read_database(value, options);
  std::string* text = name == "client_name" ? &options.client_name : nullptr;
  if (!options.sentinel.sentinels.empty()) {
    if (name == "sentinel_username") text = &options.sentinel.username;
    if (name == "sentinel_password") text = &options.sentinel.password;
  }
  if (options.tls.enabled && text == nullptr) text = tls_text(name, options.tls);
  if (text != nullptr) {
    *text = std::move(value);
    return {};
  }
  if (options.tls.enabled && name == "insecure_skip_verification" && (value == "true" || value == "false")) {
    options.tls.insecure_skip_verification = value == "true";
    return {};
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

Result<ServerAddress> read_address(std::string_view text, std::uint16_t port_left_out) {
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
  auto decoded = percent_decoded(host);
  if (!decoded || decoded->empty()) return refuse("the host is missing");
  if (!port) return ServerAddress{.host = std::move(*decoded), .port = port_left_out};
  const auto value = decimal<std::uint16_t>(*port);
  if (!value || *value == 0) return refuse("the port is no number from 1 to 65535");
  return ServerAddress{.host = std::move(*decoded), .port = *value};
}

Result<std::vector<ServerAddress>> read_addresses(std::string_view text, std::uint16_t port_left_out) {
  std::vector<ServerAddress> addresses;
  std::optional<std::string_view> rest = text;
  while (rest) {
    const auto [first, more] = split(*rest, ',');
    rest = more;
    auto address = read_address(first, port_left_out);
    if (!address) return std::unexpected(std::move(address.error()));
    addresses.push_back(std::move(*address));
  }
  return addresses;
}

/// What each kind of URI has between its scheme and its parameters. `path` begins with a slash or is empty.
struct Place {
  std::string_view authority;
  std::string_view path;
};

Result<void> read_server(Place place, ConnectionOptions& options) {
  auto address = read_address(place.authority, default_port);
  if (!address) return std::unexpected(std::move(address.error()));
  options.host = std::move(address->host);
  options.port = address->port;
  return place.path.size() > 1 ? read_database(place.path.substr(1), options) : Result<void>{};
}

Result<void> read_socket(Place place, ConnectionOptions& options) {
  auto decoded = percent_decoded(place.path);
  if (!place.authority.empty() || !decoded || decoded->size() < 2) {
    return refuse("the path of the unix socket is missing");
  }
  options.unix_socket = std::move(*decoded);
  return {};
}

Result<void> read_sentinels(Place place, ConnectionOptions& options) {
  auto addresses = read_addresses(place.authority, default_sentinel_port);
  if (!addresses) return std::unexpected(std::move(addresses.error()));
  options.sentinel.sentinels = std::move(*addresses);
  const auto [name, database] = split(place.path.empty() ? place.path : place.path.substr(1), '/');
  auto decoded = percent_decoded(name);
  if (!decoded || decoded->empty()) return refuse("the primary's name is missing behind the sentinels");
  options.sentinel.primary_name = std::move(*decoded);
  return database ? read_database(*database, options) : Result<void>{};
}

Result<void> read_cluster(Place place, ConnectionOptions& options) {
  if (place.path.size() > 1) return refuse("there is a path; a cluster has only database 0");
  auto addresses = read_addresses(place.authority, default_port);
  if (!addresses) return std::unexpected(std::move(addresses.error()));
  options.cluster.seeds = std::move(*addresses);
  return {};
}

struct Scheme {
  std::string_view name;
  bool uses_tls;
  Result<void> (*read)(Place place, ConnectionOptions& options);
};

constexpr std::array schemes{
    Scheme{"redis", false, read_server},
    Scheme{"rediss", true, read_server},
    Scheme{"redis+sentinel", false, read_sentinels},
    Scheme{"rediss+sentinel", true, read_sentinels},
    Scheme{"redis+cluster", false, read_cluster},
    Scheme{"rediss+cluster", true, read_cluster},
    Scheme{"unix", false, read_socket},
};

}  // namespace

Result<ConnectionOptions> ConnectionOptions::from_uri(std::string_view uri) {
  if (uri.find('\0') != std::string_view::npos) return refuse("there is a zero byte");
  ConnectionOptions options;
  const auto scheme_end = uri.find("://");
  const auto* const scheme = std::ranges::find(schemes, uri.substr(0, scheme_end), &Scheme::name);
  if (scheme_end == std::string_view::npos || scheme == schemes.end()) {
    return refuse("the scheme is none of those that are known");
  }
  options.tls.enabled = scheme->uses_tls;

  const auto [address, parameters] = split(uri.substr(scheme_end + 3), '?');
  const auto path_start = std::min(address.find('/'), address.size());
  Place place{.authority = address.substr(0, path_start), .path = address.substr(path_start)};
  if (const auto at = place.authority.rfind('@'); at != std::string_view::npos) {
    if (auto read = read_credentials(place.authority.substr(0, at), options); !read) {
      return std::unexpected(read.error());
    }
    place.authority.remove_prefix(at + 1);
  }
  auto read = scheme->read(place, options);
  if (read && parameters) read = read_parameters(*parameters, options);
  if (!read) return std::unexpected(std::move(read.error()));
  if (!options.sentinel.sentinels.empty()) {
    if (!options.sentinel.username.empty() && options.sentinel.password.empty()) {
      return refuse("there is a sentinel_username without a sentinel_password");
    }
    options.sentinel.tls = options.tls;
  }
  return options;
}

}  // namespace obol::inline v0

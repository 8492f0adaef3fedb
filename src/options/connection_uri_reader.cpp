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

#include "base/decimal.hpp"
#include "obol/connection_options.hpp"

namespace obol { inline namespace v0 {
namespace {

constexpr std::uint16_t default_port = 6379;
constexpr std::uint16_t default_sentinel_port = 26379;

// The message never repeats the address: it may hold a password.
std::unexpected<Error> refuse_uri(std::string_view what) {
  return std::unexpected(Error{ErrorCode::invalid_argument, fmt::format("in the connection URI {}", what)});
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
  if (!decoded_user || !decoded_password) {
    return refuse_uri("the user name or password has a bad percent-encoding; a % in it is written as %25");
  }
  options.username = *decoded_user;
  options.password = *decoded_password;
  return {};
}

Result<void> read_database(std::string_view text, ConnectionOptions& options) {
  const auto database = decimal<std::uint32_t>(text);
  if (!database) return refuse_uri("the database is not a number");
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

struct AddressParts {
  std::string_view host;
  std::optional<std::string_view> port;
};

Result<AddressParts> split_address(std::string_view text) {
  if (!text.starts_with('[')) {
    const auto [host, port] = split(text, ':');
    return AddressParts{.host = host, .port = port};
  }
  const auto end = text.find(']');
  if (end == std::string_view::npos) return refuse_uri("an IPv6 address has no closing ']'");
  const auto behind = text.substr(end + 1);
  if (!behind.empty() && behind.front() != ':') return refuse_uri("there is text between ']' and the port");
  AddressParts parts{.host = text.substr(1, end - 1), .port = std::nullopt};
  if (!behind.empty()) parts.port = behind.substr(1);
  return parts;
}

Result<ServerAddress> read_address(std::string_view text, std::uint16_t port_left_out) {
  const auto parts = split_address(text);
  if (!parts) return std::unexpected(parts.error());
  auto host = percent_decoded(parts->host);
  if (!host || host->empty())
    return refuse_uri("the host is missing; an IPv6 address is written in brackets, as [::1]");
  if (!parts->port) return ServerAddress{.host = std::move(*host), .port = port_left_out};
  const auto port = decimal<std::uint16_t>(*parts->port);
  if (parts->port->contains(','))
    return refuse_uri("there are several hosts; only redis+sentinel:// and redis+cluster:// take a list");
  if (!port || *port == 0) return refuse_uri("the port is not a number from 1 to 65535");
  return ServerAddress{.host = std::move(*host), .port = *port};
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

/// Null where Sentinel has no parameter of that name.
std::string* sentinel_text(std::string_view name, SentinelOptions& sentinel) {
  if (name == "sentinel_username") return &sentinel.username;
  if (name == "sentinel_password") return &sentinel.password;
  if (name == "sentinel_password_file") return &sentinel.password_file;
  return nullptr;
}

Result<void> read_flag(std::string_view value, bool& flag) {
  if (value != "true" && value != "false") return refuse_uri("insecure_skip_verification is neither true nor false");
  flag = value == "true";
  return {};
}

/// The port is 0 if it is left out.
Result<ServerAddress> read_mapped(std::string_view text) {
  const auto parts = split_address(text);
  if (!parts) return std::unexpected(parts.error());
  const auto port = parts->port ? decimal<std::uint16_t>(*parts->port) : 0;
  if (parts->host.empty() || parts->host.find_first_of("[]") != std::string_view::npos) {
    return refuse_uri("a host of address_map is missing");
  }
  if (!port || (parts->port && *port == 0)) return refuse_uri("a port of address_map is not a number from 1 to 65535");
  return ServerAddress{.host = std::string(parts->host), .port = *port};
}

Result<void> read_address_map(std::string_view text, ConnectionOptions& options) {
  std::optional<std::string_view> rest = text;
  while (rest) {
    const auto [mapping, more] = split(*rest, ',');
    rest = more;
    const auto [announced, reachable] = split(mapping, '=');
    if (!reachable || reachable->contains('=')) return refuse_uri("address_map is not a list of announced=reachable");
    auto from = read_mapped(announced);
    if (!from) return std::unexpected(std::move(from.error()));
    auto to = read_mapped(*reachable);
    if (!to) return std::unexpected(std::move(to.error()));
    options.address_map.push_back({.announced = std::move(*from), .reachable = std::move(*to)});
  }
  return {};
}

// Names are told only if they are known: what is not may be a piece of a password.
Result<void> read_parameter(std::string_view name, std::string value, ConnectionOptions& options) {
  const bool is_flag = name == "insecure_skip_verification";
  std::string* const of_sentinel = sentinel_text(name, options.sentinel);
  std::string* const of_tls = tls_text(name, options.tls);
  if (of_sentinel != nullptr && options.sentinel.sentinels.empty()) {
    return refuse_uri(fmt::format("{} is only for Sentinel (redis+sentinel://)", name));
  }
  if ((of_tls != nullptr || is_flag) && !options.tls.enabled) {
    return refuse_uri(fmt::format("{} is only for TLS (rediss://)", name));
  }
  if (is_flag) return read_flag(value, options.tls.insecure_skip_verification);
  if (name == "address_map") return read_address_map(value, options);
  if (name == "db") {
    if (!options.cluster.seeds.empty()) return refuse_uri("there is a db, but a cluster has only database 0");
    return read_database(value, options);
  }
  std::string* text = of_sentinel != nullptr ? of_sentinel : of_tls;
  if (name == "client_name") text = &options.client_name;
  if (name == "password_file") text = &options.password_file;
  if (text == nullptr) {
    return refuse_uri(
        "there is an unknown parameter; known are client_name, db, password_file and address_map, for Sentinel "
        "sentinel_username, sentinel_password and sentinel_password_file, and for TLS ca_file, certificate_file, "
        "private_key_file, server_name and insecure_skip_verification");
  }
  *text = std::move(value);
  return {};
}

Result<void> read_parameters(std::string_view text, ConnectionOptions& options) {
  std::optional<std::string_view> rest = text;
  while (rest) {
    const auto [parameter, more] = split(*rest, '&');
    rest = more;
    const auto [name, value] = split(parameter, '=');
    auto decoded = percent_decoded(value.value_or(""));
    if (!decoded) return refuse_uri("a parameter has a bad percent-encoding; a % in it is written as %25");
    if (auto read = read_parameter(name, std::move(*decoded), options); !read) return read;
  }
  return {};
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
    return refuse_uri("the path of the unix socket is missing");
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
  if (!decoded || decoded->empty()) return refuse_uri("the primary's name is missing after the sentinels");
  options.sentinel.primary_name = std::move(*decoded);
  return database ? read_database(*database, options) : Result<void>{};
}

Result<void> read_cluster(Place place, ConnectionOptions& options) {
  if (place.path.size() > 1) return refuse_uri("there is a path, but a cluster has only database 0");
  auto addresses = read_addresses(place.authority, default_port);
  if (!addresses) return std::unexpected(std::move(addresses.error()));
  options.cluster.seeds = std::move(*addresses);
  return {};
}

struct Scheme {
  std::string_view name;
  bool uses_tls;
  Result<void> (*read)(Place place, ConnectionOptions& options);
  std::string_view form;  // What is written behind "://".
};

constexpr std::string_view server_form = "[user:password@]host[:port][/database]";
constexpr std::string_view sentinel_form = "[user:password@]host[:port],.../primary_name[/database]";
constexpr std::string_view cluster_form = "[user:password@]host[:port],...";

constexpr std::array schemes{
    Scheme{"redis", false, read_server, server_form},
    Scheme{"rediss", true, read_server, server_form},
    Scheme{"redis+sentinel", false, read_sentinels, sentinel_form},
    Scheme{"rediss+sentinel", true, read_sentinels, sentinel_form},
    Scheme{"redis+cluster", false, read_cluster, cluster_form},
    Scheme{"rediss+cluster", true, read_cluster, cluster_form},
    Scheme{"unix", false, read_socket, "[user:password@]/path"},
};

/// In lower case, as of Redis: schemes are compared without regard to case (RFC 3986, section 3.1).
std::string canonical_scheme(std::string_view scheme) {
  constexpr std::string_view valkey = "valkey";
  std::string name;
  for (const char c : scheme) name += c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return name.starts_with(valkey) ? "redis" + name.substr(valkey.size()) : name;
}

/// That a password is empty was said, and not forgotten.
struct EmptyPasswords {
  bool of_servers = false;
  bool of_sentinels = false;
};

Result<void> check_users(const ConnectionOptions& options, EmptyPasswords empty) {
  const auto& sentinel = options.sentinel;
  if (!options.password_file.empty() && (!options.password.empty() || empty.of_servers)) {
    return refuse_uri("there is both a password and a password_file; leave one out");
  }
  if (!sentinel.password_file.empty() && !sentinel.password.empty()) {
    return refuse_uri("there is both a sentinel_password and a sentinel_password_file; leave one out");
  }
  if (!options.username.empty() && options.password.empty() && options.password_file.empty() && !empty.of_servers) {
    return refuse_uri(
        "there is a user name without a password; write a password without a user as :password@, and a user that "
        "needs no password as user:@");
  }
  if (!sentinel.username.empty() && sentinel.password.empty() && sentinel.password_file.empty() &&
      !empty.of_sentinels) {
    return refuse_uri(
        "there is a sentinel_username without a sentinel_password; for a user that needs none, leave its value empty");
  }
  return {};
}

Result<ConnectionOptions> read_uri(const Scheme& scheme, std::string_view behind_scheme) {
  ConnectionOptions options;
  options.tls.enabled = scheme.uses_tls;
  const auto [address, parameters] = split(behind_scheme, '?');
  const auto path_start = std::min(address.find('/'), address.size());
  Place place{.authority = address.substr(0, path_start), .path = address.substr(path_start)};
  EmptyPasswords empty;
  if (const auto at = place.authority.rfind('@'); at != std::string_view::npos) {
    const auto user_info = place.authority.substr(0, at);
    if (auto read = read_credentials(user_info, options); !read) return std::unexpected(read.error());
    empty.of_servers = user_info.size() > 1 && user_info.ends_with(':') && options.password.empty();
    place.authority.remove_prefix(at + 1);
  }
  auto read = scheme.read(place, options);
  if (read && parameters) read = read_parameters(*parameters, options);
  const std::string all = fmt::format("&{}", parameters.value_or(""));
  empty.of_sentinels = all.contains("&sentinel_password=");
  if (read) read = check_users(options, empty);
  if (!read) return std::unexpected(std::move(read.error()));
  if (!options.sentinel.sentinels.empty()) options.sentinel.tls = options.tls;
  return options;
}

// A '/' or '?' in a password ends the place where a password can stand, and the '@' behind it is left over.
bool may_have_raw_password(std::string_view behind_scheme) {
  const auto authority_end = behind_scheme.find_first_of("/?");
  return authority_end != std::string_view::npos && behind_scheme.find('@', authority_end) != std::string_view::npos;
}

}  // namespace

Result<ConnectionOptions> ConnectionOptions::from_uri(std::string_view uri) {
  if (uri.find('\0') != std::string_view::npos) return refuse_uri("there is a zero byte");
  const auto scheme_end = uri.find("://");
  const auto* const scheme = std::ranges::find(schemes, canonical_scheme(uri.substr(0, scheme_end)), &Scheme::name);
  if (scheme_end == std::string_view::npos || scheme == schemes.end()) {
    return refuse_uri(
        "the scheme is missing or unknown; write redis://host:port, rediss:// for TLS, redis+sentinel://, "
        "redis+cluster:// (valkey may take the place of redis) or unix:///path/of/the/socket");
  }
  const auto behind_scheme = uri.substr(scheme_end + 3);
  auto options = read_uri(*scheme, behind_scheme);
  if (options) return options;
  if (!may_have_raw_password(behind_scheme)) {
    options.error().message += fmt::format("; the form is {}://{}[?parameters]", scheme->name, scheme->form);
    return options;
  }
  return refuse_uri(
      "there is an @ after a /, ? or #: if these belong to the user name or password, write them percent-encoded "
      "(/ as %2F, ? as %3F, # as %23, @ as %40, % as %25)");
}

}}  // namespace obol::v0

// Fuzzes connection URIs: what is accepted means one thing, and no refusal depends on the password.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "input.hpp"
#include "obol/connection_options.hpp"
#include "require.hpp"

namespace obol::fuzz { namespace {

bool same_but_password(const ConnectionOptions& left, ConnectionOptions right) {
  right.password = left.password;
  return left == right;
}

bool can_be_connected_to(const ServerAddress& address) { return address.port != 0 && !address.host.empty(); }

void check_accepted(const ConnectionOptions& options) {
  for (const auto* text :
       {&options.host, &options.unix_socket, &options.username, &options.password, &options.password_file,
        &options.client_name, &options.sentinel.password, &options.sentinel.password_file}) {
    require(text->find('\0') == std::string::npos, "no part holds a zero byte");
  }
  require(can_be_connected_to({.host = options.host, .port = options.port}) &&
              std::ranges::all_of(options.sentinel.sentinels, can_be_connected_to) &&
              std::ranges::all_of(options.cluster.seeds, can_be_connected_to),
          "an accepted address can be connected to");
  require(options.sentinel.primary_name.empty() == options.sentinel.sentinels.empty(),
          "sentinels come with a primary's name");
  require(options.sentinel.sentinels.empty() || options.cluster.seeds.empty(), "it is Sentinel or a cluster");
  require(options.unix_socket.empty() || options.unix_socket.starts_with('/'), "a socket's path is absolute");
  require(options.password.empty() || options.password_file.empty(), "a password comes from one place");
  require(options.sentinel.password.empty() || options.sentinel.password_file.empty(),
          "a sentinel's password comes from one place");
  require(std::ranges::none_of(options.address_map,
                               [](const AddressMapping& mapping) {
                                 return mapping.announced.host.empty() || mapping.reachable.host.empty();
                               }),
          "a mapped address has a host");
  const auto again = ConnectionOptions::from_uri(options.to_uri(Credentials::included));
  require(again && *again == options, "options that were read can be written as a URI again");
  auto shown = options;
  shown.username = shown.password = shown.sentinel.username = shown.sentinel.password = {};
  const auto log = ConnectionOptions::from_uri(options.to_uri());
  require(log && *log == shown, "a URI without credentials is all but those");
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

}}  // namespace obol::fuzz

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

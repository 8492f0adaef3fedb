// Writes ConnectionOptions as a URI, for from_uri or for a log.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "obol/connection_options.hpp"
#include "options/server_address.hpp"

namespace obol { inline namespace v0 {
namespace {

constexpr std::string_view unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

/// `kept`: more characters that mean only themselves in that place.
std::string encoded(std::string_view text, std::string_view kept = {}) {
  std::string result;
  for (const char c : text) {
    if (unreserved.contains(c) || kept.contains(c)) {
      result += c;
    } else {
      result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return result;
}

std::string text_of(const ServerAddress& address) {
  return name_of({.host = encoded(address.host, ":"), .port = address.port});
}

std::string text_of(const std::vector<ServerAddress>& addresses) {
  std::string result;
  for (const auto& address : addresses) {
    if (!result.empty()) result += ',';
    result += text_of(address);
  }
  return result;
}

/// With the '@' behind it; empty if there is neither user nor password.
std::string user_info(std::string_view username, std::string_view password, bool has_password_file) {
  if (has_password_file) return username.empty() ? std::string{} : encoded(username) + '@';
  if (username.empty() && password.empty()) return {};
  return fmt::format("{}:{}@", encoded(username), encoded(password));
}

std::string text_of_mapped(const ServerAddress& address) {
  if (address.port != 0) return name_of(address);
  auto text = name_of(address);
  return text.substr(0, text.rfind(':'));
}

std::string text_of(const std::vector<AddressMapping>& map) {
  std::string result;
  for (const auto& [announced, reachable] : map) {
    if (!result.empty()) result += ',';
    result += text_of_mapped(announced) + '=' + text_of_mapped(reachable);
  }
  return result;
}

/// The parameters that are not as they are where they are left out.
class Parameters {
 public:
  void add(std::string_view name, std::string_view value, std::string_view kept = "/") {
    text_ += fmt::format("{}{}={}", text_.empty() ? '?' : '&', name, encoded(value, kept));
  }

  void add_unless_empty(std::string_view name, std::string_view value) {
    if (!value.empty()) add(name, value);
  }

  void add(const TlsOptions& tls) {
    add_unless_empty("ca_file", tls.ca_file);
    add_unless_empty("certificate_file", tls.certificate_file);
    add_unless_empty("private_key_file", tls.private_key_file);
    add_unless_empty("server_name", tls.server_name);
    if (tls.insecure_skip_verification) add("insecure_skip_verification", "true");
  }

  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace

std::string ConnectionOptions::to_uri(Credentials shown) const {
  const bool shows_credentials = shown == Credentials::included;
  std::string user;
  if (shows_credentials) user = user_info(username, password, !password_file.empty());

  const std::string_view secure = tls.enabled ? "s" : "";
  std::string uri;
  if (!sentinel.sentinels.empty()) {
    uri = fmt::format("redis{}+sentinel://{}{}/{}", secure, user, text_of(sentinel.sentinels),
                      encoded(sentinel.primary_name));
  } else if (!cluster.seeds.empty()) {
    uri = fmt::format("redis{}+cluster://{}{}", secure, user, text_of(cluster.seeds));
  } else if (!unix_socket.empty()) {
    uri = fmt::format("unix://{}{}", user, encoded(unix_socket, "/"));
  } else {
    uri = fmt::format("redis{}://{}{}", secure, user, text_of({.host = host, .port = port}));
  }

  Parameters parameters;
  if (database != 0) parameters.add("db", fmt::format("{}", database));
  if (client_name != ConnectionOptions{}.client_name) parameters.add("client_name", client_name);
  parameters.add_unless_empty("password_file", password_file);
  if (shows_credentials) {
    parameters.add_unless_empty("sentinel_username", sentinel.username);
    if (!sentinel.username.empty() && sentinel.password_file.empty()) {
      parameters.add("sentinel_password", sentinel.password);
    } else {
      parameters.add_unless_empty("sentinel_password", sentinel.password);
    }
  }
  parameters.add_unless_empty("sentinel_password_file", sentinel.password_file);
  if (!address_map.empty()) parameters.add("address_map", text_of(address_map), "*,:=[]");
  if (tls.enabled) parameters.add(tls);
  return uri + parameters.text();
}

}}  // namespace obol::v0

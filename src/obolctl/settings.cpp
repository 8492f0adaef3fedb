// Reads the server's address and the secrets.
#include "obolctl/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include "base/decimal.hpp"
#include "options/redis_store_options.hpp"
#include "values/refusal.hpp"

namespace obol::ctl {
namespace {

constexpr std::string_view key_form = "hex-key:";

/// Where user name and password stand in an address: behind "://", and up to the '@' if there is one.
struct Credentials {
  std::size_t begin = 0;
  std::optional<std::string_view> text;
  bool names_password() const { return text && text->contains(':'); }
  bool has_password() const { return names_password() && !text->ends_with(':'); }
};

Credentials find_credentials(std::string_view uri) {
  const auto scheme_end = uri.find("://");
  if (scheme_end == std::string_view::npos) return {};
  Credentials credentials{.begin = scheme_end + 3, .text = {}};
  const auto authority = uri.substr(credentials.begin, uri.find_first_of("/?", credentials.begin) - credentials.begin);
  const auto at = authority.rfind('@');
  if (at != std::string_view::npos) credentials.text = authority.substr(0, at);
  return credentials;
}

bool has_parameter(std::string_view uri, std::string_view name) {
  const auto named = [&](char separator) { return uri.contains(fmt::format("{}{}=", separator, name)); };
  return named('?') || named('&');
}

bool is_for_sentinels(std::string_view uri) {
  std::string scheme(uri.substr(0, uri.find("://")));
  std::ranges::transform(scheme, scheme.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return scheme.ends_with("+sentinel");
}

std::string percent_encoded(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("%{:02X}", static_cast<unsigned char>(byte));
  return text;
}

std::string with_password(std::string uri, const Credentials& credentials, std::string_view password) {
  const auto encoded = ":" + percent_encoded(password);
  const auto behind_user = credentials.begin + (credentials.text ? credentials.text->size() : 0);
  return uri.insert(behind_user, credentials.text ? encoded : encoded + "@");
}

void add_parameter(std::string& uri, std::string_view name, std::string_view value) {
  uri += fmt::format("{}{}={}", uri.contains('?') ? '&' : '?', name, percent_encoded(value));
}

/// Secrets that the command line must not hold, in the words of what to do instead; empty if there are none.
std::string_view secret_in(std::string_view uri) {
  if (find_credentials(uri).has_password()) {
    return "--uri holds a password, and every user of this machine can read command lines: set OBOL_REDIS_PASSWORD, or "
           "the whole address as OBOL_REDIS_URI, or name a file with --password-file, and change that password";
  }
  if (has_parameter(uri, "sentinel_password")) {
    return "--uri holds a sentinel_password, and every user of this machine can read command lines: set "
           "OBOL_SENTINEL_PASSWORD, or the whole address as OBOL_REDIS_URI, or name a file with "
           "--sentinel-password-file, and change that password";
  }
  return {};
}

// A file that is named on the command line goes before a password in the environment, which may be another program's.
void add_passwords(std::string& address, const CommonArguments& arguments, const Environment& environment) {
  const auto credentials = find_credentials(address);
  if (!arguments.password_file.empty()) {
    add_parameter(address, "password_file", arguments.password_file);
  } else if (!credentials.names_password() && !has_parameter(address, "password_file")) {
    if (const auto password = environment("OBOL_REDIS_PASSWORD")) {
      address = with_password(address, credentials, *password);
    }
  }
  if (!arguments.sentinel_password_file.empty()) {
    add_parameter(address, "sentinel_password_file", arguments.sentinel_password_file);
  } else if (is_for_sentinels(address) && !has_parameter(address, "sentinel_password") &&
             !has_parameter(address, "sentinel_password_file")) {
    if (const auto password = environment("OBOL_SENTINEL_PASSWORD")) {
      add_parameter(address, "sentinel_password", *password);
    }
  }
}

Result<SigningKey> read_key(std::string_view hex, std::string_view id) {
  std::string bytes;
  for (; hex.size() >= 2; hex.remove_prefix(2)) {
    const auto byte = hex_byte(hex.substr(0, 2));
    if (!byte) break;
    bytes += static_cast<char>(*byte);
  }
  if (!hex.empty())
    return refuse("a secret that begins with hex-key: is not of the form hex-key:HEX or hex-key:HEX:ID");
  return SigningKey::from_bytes(bytes, id);
}

Result<SigningKey> read_secret(std::string_view secret) {
  if (!secret.starts_with(key_form)) return SigningKey::from_base_secret(secret);
  secret.remove_prefix(key_form.size());
  const auto colon = secret.find(':');
  return read_key(secret.substr(0, colon), colon == std::string_view::npos ? "" : secret.substr(colon + 1));
}

Result<std::vector<std::string>> secrets_of_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) return refuse(fmt::format("the secret file {} cannot be read", path));
  std::vector<std::string> secrets;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) secrets.push_back(std::move(line));
  }
  if (secrets.empty()) return refuse(fmt::format("the secret file {} is empty", path));
  return secrets;
}

Result<std::vector<std::string>> secrets_of(const Environment& environment) {
  const auto old_secrets = environment("OBOL_OLD_SECRETS");
  std::vector<std::string> secrets;
  if (auto secret = environment("OBOL_SECRET")) {
    secrets.push_back(std::move(*secret));
  } else if (old_secrets) {
    return refuse("OBOL_OLD_SECRETS is set without OBOL_SECRET, the current one");
  }
  std::istringstream words(old_secrets.value_or(""));
  for (std::string word; words >> word;) secrets.push_back(std::move(word));
  return secrets;
}

}  // namespace

Environment process_environment() {
  return [](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') return std::nullopt;
    return value;
  };
}

Result<ConnectionOptions> read_connection(const CommonArguments& arguments, const Environment& environment) {
  const auto& uri = arguments.uri;
  if (const auto secret = secret_in(uri); !secret.empty()) return refuse(std::string(secret));
  auto address = uri.empty() ? environment("OBOL_REDIS_URI").value_or("") : uri;
  if (address.empty()) return refuse("no server is named: give --uri redis://HOST, or set OBOL_REDIS_URI");
  add_passwords(address, arguments, environment);
  for (const auto& mapping : arguments.address_map) add_parameter(address, "address_map", mapping);
  auto connection = ConnectionOptions::from_uri(address);
  if (!connection && uri.contains('@')) {
    connection.error().message +=
        "; a password belongs in OBOL_REDIS_PASSWORD or in the file of --password-file; if --uri holds one, change "
        "that password: every user of this machine can read command lines";
  }
  if (connection && connection->client_name == ConnectionOptions{}.client_name) connection->client_name = "obolctl";
  return connection;
}

Result<Keyring> read_keyring(const std::string& secret_file, const Environment& environment) {
  const auto secrets = secret_file.empty() ? secrets_of(environment) : secrets_of_file(secret_file);
  if (!secrets) return std::unexpected(secrets.error());
  Keyring keyring;
  for (const auto& secret : *secrets) {
    const auto key = read_secret(secret);
    if (!key) return std::unexpected(key.error());
    auto extended = keyring.with_verifying_key(*key);
    if (!extended) return extended;
    keyring = std::move(*extended);
  }
  return keyring;
}

Result<RedisStoreOptions> read_options(const CommonArguments& arguments, const Environment& environment) {
  auto connection = read_connection(arguments, environment);
  if (!connection) return std::unexpected(std::move(connection.error()));
  RedisStoreOptions options;
  options.connection = std::move(*connection);
  options.key_prefix = arguments.prefix;
  if (arguments.uses_scripts) options.functions = FunctionLoading::scripts;
  const std::chrono::seconds timeout(arguments.timeout_seconds);
  options.timeouts = {.connect = timeout, .command = timeout, .total = timeout};
  options.pool.checkout_timeout = timeout;
  options.pool.size = 2;
  options.max_reply_bytes = std::size_t{1024} * 1024 * 1024;
  // A store's options want a key, and this tool's commands mostly none.
  auto checked = options;
  checked.keyring = Keyring(SigningKey::from_bytes(std::string(32, '\0')).value());
  if (auto valid = validate(checked); !valid) return std::unexpected(std::move(valid.error()));
  return options;
}

}  // namespace obol::ctl

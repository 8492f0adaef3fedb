// The rules for each option of a RedisStore.
#include "redis_options.hpp"

#include <fmt/format.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <utility>

namespace obol::inline v0 {
namespace {

constexpr std::size_t maximum_connections = 10'000;
constexpr std::size_t maximum_key_prefix_bytes = 64;
constexpr std::size_t maximum_socket_path_bytes = sizeof(sockaddr_un::sun_path) - 1;
constexpr std::size_t least_reply_bytes = std::size_t{64} * 1024;
constexpr std::size_t most_payload_bytes = std::size_t{256} * 1024 * 1024;
constexpr std::chrono::milliseconds longest{std::chrono::hours(24 * 30)};

std::unexpected<Error> refuse(std::string message) {
  return std::unexpected(Error{ErrorCode::invalid_argument, std::move(message)});
}

bool holds_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

bool is_client_name(std::string_view name) {
  return name.size() <= 256 && std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~'; });
}

Result<void> check(const TlsOptions& tls) {
  for (const auto& text : {tls.ca_file, tls.certificate_file, tls.private_key_file, tls.server_name}) {
    if (holds_nul(text)) return refuse("a text of connection.tls holds a zero byte");
  }
  if (tls.certificate_file.empty() != tls.private_key_file.empty()) {
    return refuse("connection.tls has one of certificate_file and private_key_file; set both or neither");
  }
  if (tls.insecure_skip_verification && !(tls.ca_file.empty() && tls.server_name.empty())) {
    return refuse("connection.tls skips verification and names what to verify; leave one of them out");
  }
  return {};
}

Result<void> check(const ConnectionOptions& connection) {
  if (connection.unix_socket.empty()) {
    if (connection.host.empty() || holds_nul(connection.host))
      return refuse("connection.host is empty or no host name");
    if (connection.port == 0) return refuse("connection.port is 0; 1 to 65535 are allowed");
  }
  if (connection.unix_socket.size() > maximum_socket_path_bytes || holds_nul(connection.unix_socket)) {
    return refuse(fmt::format("connection.unix_socket is no path of at most {} bytes", maximum_socket_path_bytes));
  }
  if (connection.tls.enabled) {
    if (!connection.unix_socket.empty())
      return refuse("connection.tls is set for a unix socket; it never leaves this machine");
    if (auto valid = check(connection.tls); !valid) return valid;
  }
  if (!connection.username.empty() && connection.password.empty()) {
    return refuse("connection.username is set without a password; set both or neither");
  }
  if (!is_client_name(connection.client_name)) {
    return refuse("connection.client_name is not printable ASCII without spaces, of at most 256 bytes");
  }
  return {};
}

Result<void> check_durations(const RedisStoreOptions& options) {
  const std::array<std::pair<std::string_view, std::chrono::milliseconds>, 6> durations{{
      {"pool.checkout_timeout", options.pool.checkout_timeout},
      {"pool.idle_limit", options.pool.idle_limit},
      {"pool.lifetime_limit", options.pool.lifetime_limit},
      {"timeouts.connect", options.timeouts.connect},
      {"timeouts.command", options.timeouts.command},
      {"timeouts.total", options.timeouts.total},
  }};
  for (const auto& [name, duration] : durations) {
    if (duration.count() > 0 && duration <= longest) continue;
    return refuse(fmt::format("{} is {} ms; 1 ms to 30 days are allowed", name, duration.count()));
  }
  return {};
}

Result<void> check(const SessionPolicy& policy) {
  constexpr std::size_t most_sessions = 1000;
  if (policy.maximum_sessions > most_sessions) {
    return refuse(
        fmt::format("policy.maximum_sessions is {}; 0 to {} are allowed", policy.maximum_sessions, most_sessions));
  }
  if (policy.revocation_mark_lifetime.count() < 0 || policy.revocation_mark_lifetime > longest) {
    return refuse(fmt::format("policy.revocation_mark_lifetime is {} s; 0 to 30 days are allowed",
                              policy.revocation_mark_lifetime.count()));
  }
  return {};
}

Result<void> check(const DeleteDurability& durability, const Timeouts& timeouts) {
  constexpr std::size_t most_replicas = 100;
  if (durability.replicas > most_replicas) {
    return refuse(
        fmt::format("delete_durability.replicas is {}; 0 to {} are allowed", durability.replicas, most_replicas));
  }
  if (durability.replicas > 0 && (durability.timeout.count() <= 0 || durability.timeout >= timeouts.command)) {
    return refuse(
        fmt::format("delete_durability.timeout is {} ms; 1 ms to less than timeouts.command ({} ms) are allowed",
                    durability.timeout.count(), timeouts.command.count()));
  }
  return {};
}

Result<void> check_sizes(const RedisStoreOptions& options) {
  if (options.pool.size == 0 || options.pool.size > maximum_connections) {
    return refuse(fmt::format("pool.size is {}; 1 to {} are allowed", options.pool.size, maximum_connections));
  }
  if (options.pool.max_overflow > maximum_connections) {
    return refuse(
        fmt::format("pool.max_overflow is {}; 0 to {} are allowed", options.pool.max_overflow, maximum_connections));
  }
  if (options.maximum_payload_bytes > most_payload_bytes) {
    return refuse(fmt::format("maximum_payload_bytes is {}; at most {} are allowed", options.maximum_payload_bytes,
                              most_payload_bytes));
  }
  if (options.maximum_reply_bytes < least_reply_bytes + options.maximum_payload_bytes) {
    return refuse(fmt::format("maximum_reply_bytes is {}; at least maximum_payload_bytes + {} are needed",
                              options.maximum_reply_bytes, least_reply_bytes));
  }
  return {};
}

}  // namespace

Result<void> validate(const RedisStoreOptions& options) {
  if (auto valid = check(options.connection); !valid) return valid;
  if (auto valid = check_durations(options); !valid) return valid;
  if (auto valid = check_sizes(options); !valid) return valid;
  if (auto valid = check(options.policy); !valid) return valid;
  if (auto valid = check(options.delete_durability, options.timeouts); !valid) return valid;
  if (options.key_prefix.size() > maximum_key_prefix_bytes) {
    return refuse(fmt::format("key_prefix is {} bytes long; 0 to {} are allowed", options.key_prefix.size(),
                              maximum_key_prefix_bytes));
  }
  if (options.key_prefix.find_first_of("{}") != std::string::npos) {
    return refuse("key_prefix holds a brace; Obol puts the user id in braces behind it, so choose one without");
  }
  if (options.keyring.empty()) return refuse("keyring holds no key; make one with Keyring::from_base_secret");
  if (!options.clock) return refuse("clock is empty; leave it out for the system's clock");
  return {};
}

}  // namespace obol::inline v0

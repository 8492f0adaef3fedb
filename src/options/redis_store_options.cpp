// The rules for each option of a RedisStore.
#include "options/redis_store_options.hpp"

#include <fmt/format.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <utility>

#include "values/refusal.hpp"

namespace obol { inline namespace v0 {
namespace {

constexpr std::size_t max_connections = 10'000;
constexpr std::size_t max_key_prefix_bytes = 64;
constexpr std::size_t max_socket_path_bytes = sizeof(sockaddr_un::sun_path) - 1;
constexpr std::size_t least_reply_bytes = std::size_t{64} * 1024;
constexpr std::size_t most_payload_bytes = std::size_t{256} * 1024 * 1024;
constexpr std::chrono::milliseconds longest{std::chrono::hours(24 * 30)};

bool holds_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

bool is_client_name(std::string_view name) {
  return name.size() <= 256 && std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~'; });
}

/// `name`: of the options, for messages.
Result<void> check(const TlsOptions& tls, std::string_view name) {
  for (const auto& text : {tls.ca_file, tls.certificate_file, tls.private_key_file, tls.server_name}) {
    if (holds_nul(text)) return refuse(fmt::format("a file or name of {} contains a zero byte", name));
  }
  if (tls.certificate_file.empty() != tls.private_key_file.empty()) {
    return refuse(fmt::format("{} has one of certificate_file and private_key_file; set both or neither", name));
  }
  if (tls.insecure_skip_verification && !(tls.ca_file.empty() && tls.server_name.empty())) {
    return refuse(fmt::format(
        "{} sets insecure_skip_verification, which would ignore ca_file and server_name; leave one out", name));
  }
  return {};
}

Result<void> check(const std::vector<ServerAddress>& addresses, std::string_view name) {
  constexpr std::size_t most_addresses = 1000;
  if (addresses.size() > most_addresses) {
    return refuse(fmt::format("{} has {} addresses; at most {} are allowed", name, addresses.size(), most_addresses));
  }
  for (const auto& [host, port] : addresses) {
    if (host.empty() || holds_nul(host)) return refuse(fmt::format("{} has an empty or invalid host", name));
    if (port == 0) return refuse(fmt::format("{} has the port 0; 1 to 65535 are allowed", name));
  }
  return {};
}

/// `name`: of the options, for messages.
Result<void> check_credentials(std::string_view name, const std::string& username, const std::string& password,
                               const std::string& password_file, const CredentialsProvider& provider) {
  if (holds_nul(password_file)) return refuse(fmt::format("{}.password_file contains a zero byte", name));
  if (!password.empty() && !password_file.empty()) {
    return refuse(fmt::format("{0}.password and {0}.password_file are both set; set one of them", name));
  }
  if (provider && !(username.empty() && password.empty() && password_file.empty())) {
    return refuse(fmt::format(
        "{0}.credentials is set, which would ignore {0}.username, password and password_file; leave those out", name));
  }
  return {};
}

// What could not be written into a URI is no name of a host.
Result<void> check(const std::vector<AddressMapping>& map) {
  constexpr std::size_t most_entries = 1000;
  if (map.size() > most_entries) {
    return refuse(
        fmt::format("connection.address_map has {} entries; at most {} are allowed", map.size(), most_entries));
  }
  for (const auto& [announced, reachable] : map) {
    for (const auto& host : {announced.host, reachable.host}) {
      if (host.empty() || holds_nul(host) || host.find_first_of(",=[]") != std::string::npos) {
        return refuse("connection.address_map has an empty or invalid host; * matches every host");
      }
    }
  }
  return {};
}

Result<void> check(const SentinelOptions& sentinel) {
  if (sentinel.primary_name.empty() != sentinel.sentinels.empty()) {
    return refuse("connection.sentinel has one of primary_name and sentinels; set both or neither");
  }
  if (sentinel.primary_name.size() > 256 || holds_nul(sentinel.primary_name)) {
    return refuse("connection.sentinel.primary_name is not a name of at most 256 bytes");
  }
  if (auto valid = check_credentials("connection.sentinel", sentinel.username, sentinel.password,
                                     sentinel.password_file, sentinel.credentials);
      !valid) {
    return valid;
  }
  if (auto valid = check(sentinel.sentinels, "connection.sentinel.sentinels"); !valid) return valid;
  return sentinel.tls.enabled ? check(sentinel.tls, "connection.sentinel.tls") : Result<void>{};
}

// Where the servers are.
Result<void> check_place(const ConnectionOptions& connection) {
  const bool by_sentinel = !connection.sentinel.sentinels.empty();
  const bool by_cluster = !connection.cluster.seeds.empty();
  if (by_sentinel + by_cluster + !connection.unix_socket.empty() > 1) {
    return refuse("connection has more than one of unix_socket, sentinel and cluster; choose one");
  }
  if (by_cluster && connection.database != 0) {
    return refuse(fmt::format("connection.database is {}; a cluster has only 0", connection.database));
  }
  if (auto valid = check(connection.cluster.seeds, "connection.cluster.seeds"); !valid) return valid;
  if (by_sentinel || by_cluster) return {};
  if (connection.unix_socket.empty()) {
    if (connection.host.empty() || holds_nul(connection.host))
      return refuse("connection.host is empty or not a host name");
    if (connection.port == 0) return refuse("connection.port is 0; 1 to 65535 are allowed");
  }
  if (connection.unix_socket.size() > max_socket_path_bytes || holds_nul(connection.unix_socket)) {
    return refuse(fmt::format("connection.unix_socket is not a path of at most {} bytes", max_socket_path_bytes));
  }
  return {};
}

Result<void> check(const ConnectionOptions& connection) {
  if (auto valid = check(connection.sentinel); !valid) return valid;
  if (auto valid = check_place(connection); !valid) return valid;
  if (connection.tls.enabled) {
    if (!connection.unix_socket.empty())
      return refuse("connection.tls is set for a unix socket, which never leaves this machine; leave it out");
    if (auto valid = check(connection.tls, "connection.tls"); !valid) return valid;
  }
  if (auto valid = check_credentials("connection", connection.username, connection.password, connection.password_file,
                                     connection.credentials);
      !valid) {
    return valid;
  }
  if (auto valid = check(connection.address_map); !valid) return valid;
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
  if (policy.max_sessions > most_sessions) {
    return refuse(fmt::format("policy.max_sessions is {}; 0 to {} are allowed", policy.max_sessions, most_sessions));
  }
  if (policy.revocation_mark_lifetime.count() == 0 && (policy.mark_on_delete_others || policy.mark_on_rotate_id)) {
    return refuse(
        "policy.mark_on_delete_others and mark_on_rotate_id need "
        "policy.revocation_mark_lifetime, which is 0 s; set it");
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

Result<void> check(const NearCacheOptions& cache) {
  constexpr std::size_t least_bytes = std::size_t{1024} * 1024;
  constexpr std::chrono::milliseconds least_staleness{30};
  constexpr std::chrono::milliseconds most_staleness{60'000};
  if (!cache.enabled) return {};
  if (cache.max_bytes < least_bytes) {
    return refuse(fmt::format("near_cache.max_bytes is {}; at least {} are needed", cache.max_bytes, least_bytes));
  }
  if (cache.max_staleness < least_staleness || cache.max_staleness > most_staleness) {
    return refuse(fmt::format("near_cache.max_staleness is {} ms; {} to {} ms are allowed", cache.max_staleness.count(),
                              least_staleness.count(), most_staleness.count()));
  }
  return {};
}

Result<void> check(const ReplicaReads& reads) {
  // The primary counts in whole seconds, and hears of each replica once a second.
  constexpr std::chrono::seconds least_lag{2};
  constexpr std::chrono::seconds most_lag{3600};
  if (!reads.enabled || (reads.max_lag >= least_lag && reads.max_lag <= most_lag)) return {};
  return refuse(fmt::format("replica_reads.max_lag is {} s; {} to {} s are allowed", reads.max_lag.count(),
                            least_lag.count(), most_lag.count()));
}

Result<void> check_sizes(const RedisStoreOptions& options) {
  if (options.pool.size == 0 || options.pool.size > max_connections) {
    return refuse(fmt::format("pool.size is {}; 1 to {} are allowed", options.pool.size, max_connections));
  }
  if (options.pool.max_overflow > max_connections) {
    return refuse(
        fmt::format("pool.max_overflow is {}; 0 to {} are allowed", options.pool.max_overflow, max_connections));
  }
  if (const auto busy_wait = options.pool.busy_wait.count(); busy_wait < 0 || busy_wait > 1000) {
    return refuse(fmt::format("pool.busy_wait is {} us; 0 to 1000 are allowed", busy_wait));
  }
  if (options.pool.max_waiting == 0) return refuse("pool.max_waiting is 0; 1 or more are needed");
  if (options.max_payload_bytes > most_payload_bytes) {
    return refuse(
        fmt::format("max_payload_bytes is {}; at most {} are allowed", options.max_payload_bytes, most_payload_bytes));
  }
  if (options.max_reply_bytes < least_reply_bytes + options.max_payload_bytes) {
    return refuse(fmt::format("max_reply_bytes is {}; at least max_payload_bytes + {} are needed",
                              options.max_reply_bytes, least_reply_bytes));
  }
  return {};
}

// What the policy allows, get_all must be able to read.
Result<void> check_reply_of_all(const RedisStoreOptions& options) {
  // Of a session: its ids, times and signature, and what a reply adds.
  constexpr std::size_t most_beside_payload = 4096;
  const auto bytes = options.policy.max_sessions * (options.max_payload_bytes + most_beside_payload);
  if (bytes <= options.max_reply_bytes) return {};
  return refuse(
      fmt::format("policy.max_sessions is {}, and that many sessions of max_payload_bytes ({}) take up "
                  "to {} bytes, but max_reply_bytes is {}, so that get_all would fail; lower one of the "
                  "first two or raise the last",
                  options.policy.max_sessions, options.max_payload_bytes, bytes, options.max_reply_bytes));
}

}  // namespace

Result<void> validate(const RedisStoreOptions& options) {
  if (auto valid = check(options.connection); !valid) return valid;
  if (auto valid = check_durations(options); !valid) return valid;
  if (auto valid = check_sizes(options); !valid) return valid;
  if (auto valid = check(options.policy); !valid) return valid;
  if (auto valid = check_reply_of_all(options); !valid) return valid;
  if (auto valid = check(options.delete_durability, options.timeouts); !valid) return valid;
  if (auto valid = check(options.near_cache); !valid) return valid;
  if (auto valid = check(options.replica_reads); !valid) return valid;
  if (options.near_cache.enabled && !options.connection.cluster.seeds.empty()) {
    return refuse(
        "near_cache is not supported in a cluster; switch it off, or use one primary "
        "with connection.sentinel");
  }
  if (options.key_prefix.size() > max_key_prefix_bytes) {
    return refuse(fmt::format("key_prefix is {} bytes long; 0 to {} are allowed", options.key_prefix.size(),
                              max_key_prefix_bytes));
  }
  if (options.key_prefix.find_first_of("{}") != std::string::npos) {
    return refuse("key_prefix contains a brace; Obol puts the user id in braces after it, so choose one without");
  }
  if (options.keyring.empty()) return refuse("keyring is empty; make one with Keyring::from_base_secret");
  if (!options.clock) return refuse("clock is empty; leave it out for the system's clock");
  return {};
}

Result<void> validate_replacement(const UserCredentials& credentials) {
  if (!credentials.username.empty() || !credentials.password.empty()) return {};
  return refuse("the new credentials have neither user nor password; the old ones stay in use");
}

}}  // namespace obol::v0

// A private primary with its replicas, and the sentinels that watch it, for one test.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "obol/connection_options.hpp"
#include "redis/protocol/reply.hpp"
#include "support/certificates.hpp"
#include "support/reserved_port.hpp"
#include "support/test_server.hpp"

namespace obol::testing {

struct SentinelLayout {
  std::size_t replicas = 2;
  std::size_t sentinels = 3;  ///< Most of them must agree on a fail-over.
  /// A primary silent for so long is failed over: less where that is waited for, but a busy machine may hold one up.
  std::chrono::milliseconds down_after{5000};
  std::string sentinel_user{};           ///< Where set, the sentinels know this ACL user ...
  std::string sentinel_password{};       ///< ... or, without a user, ask for this password.
  std::string password{};                ///< Of the servers' default user.
  bool uses_tls = false;                 ///< For clients, replication and sentinels.
  std::vector<std::string> arguments{};  ///< For every server.
};

/// Servers are numbered, the first primary first; sentinels are numbered on their own. To be used from one thread at a
/// time. Every function waits for what it promises, and throws std::runtime_error where that does not come within a
/// minute.
class TestSentinel {
 public:
  using Node = std::size_t;
  static constexpr const char* primary_name = "sessions";

  /// Returns once the replicas follow and every sentinel knows of all servers and all sentinels.
  explicit TestSentinel(ServerKind kind, SentinelLayout layout = {});
  ~TestSentinel();
  TestSentinel(const TestSentinel&) = delete;
  TestSentinel& operator=(const TestSentinel&) = delete;

  std::string uri() const;
  ConnectionOptions connection() const;

  const TestServer& server(Node node) const;
  const TestServer& sentinel(std::size_t number) const;
  std::uint16_t port(Node node) const;

  /// Runs a command over a connection of its own; errors included.
  redis::Reply command(Node node, std::initializer_list<std::string_view> words) const;
  redis::Reply ask(std::size_t number, std::initializer_list<std::string_view> words) const;

  /// The one that most sentinels name now.
  Node primary() const;

  /// SIGKILL, and what brings the server back empty; the sentinels make it a replica where there is a new primary.
  void kill(Node node);
  void restart(Node node);
  void restart_all();
  /// SIGSTOP and SIGCONT.
  void pause(Node node);
  void resume(Node node);
  void kill_sentinel(std::size_t number);
  void restart_sentinel(std::size_t number);

  /// By hand (SENTINEL FAILOVER); returns the new primary.
  Node fail_over();

  /// Until most sentinels name another and that has taken its role; which.
  Node await_primary_other_than(Node before) const;

  /// Until every server that runs is the primary or follows it, and the sentinels that run know it.
  void await_whole() const;

 private:
  struct Member;
  using Members = std::vector<std::unique_ptr<Member>>;

  std::vector<std::string> listening_on(const ReservedPort& port) const;
  void add_server();
  void add_sentinel();
  std::string sentinel_configuration() const;
  static std::vector<std::size_t> running(const Members& members);
  bool follows(Node node, Node primary) const;
  bool knows_all(std::size_t number) const;
  void hurry(std::size_t sentinel) const;

  const ServerKind kind_;
  const SentinelLayout layout_;
  std::unique_ptr<Authority> authority_;
  Authority::Files files_;
  Members servers_;
  Members sentinels_;
};

}  // namespace obol::testing

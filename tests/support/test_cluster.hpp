// A private cluster of Redis or Valkey processes for one test, and what can happen to a cluster: nodes that die, hang
// and come back, fail-overs, slots that move, primaries that come and go.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "obol/connection_options.hpp"
#include "redis/protocol/command.hpp"
#include "redis/protocol/reply.hpp"
#include "support/certificates.hpp"
#include "support/reserved_port.hpp"
#include "support/test_server.hpp"

namespace obol::testing {

struct ClusterLayout {
  std::size_t primaries = 3;
  std::size_t replicas_each = 1;
  /// A node silent for so long is failed over: less where that is waited for, but a busy machine may hold one up.
  std::chrono::milliseconds node_timeout{3000};
  bool uses_tls = false;                 ///< For clients, replication and the bus.
  std::string hostname{};                ///< Announced in place of the address, such as "localhost".
  std::vector<std::string> arguments{};  ///< For every node.
  std::string password{};                ///< Of the default user.
};

/// Its nodes are numbered: primaries first, then their replicas in the same order, then those that were added. To be
/// used from one thread at a time. Every function waits for what it promises, and throws std::runtime_error where that
/// does not come within a minute.
class TestCluster {
 public:
  using Node = std::size_t;
  using Slot = std::uint16_t;
  enum class Force { no, yes };

  /// Returns once every node sees the whole cluster and every replica follows its primary.
  explicit TestCluster(ServerKind kind, ClusterLayout layout = {});
  ~TestCluster();
  TestCluster(const TestCluster&) = delete;
  TestCluster& operator=(const TestCluster&) = delete;

  /// Names the nodes that the cluster began with.
  std::string uri() const;
  ConnectionOptions connection() const;

  std::string host() const;
  std::uint16_t port(Node node) const;
  std::string address(Node node) const;  ///< "host:port"

  const TestServer& server(Node node) const;
  std::size_t size() const { return members_.size(); }

  /// Runs a command on one node over a connection of its own, whatever its role; errors included.
  redis::Reply command(Node node, std::initializer_list<std::string_view> words) const;

  /// The server's own answer.
  Slot slot_of(std::string_view key) const;

  /// As the nodes that run see it now.
  std::vector<Node> primaries() const;  ///< Also those without slots.
  std::vector<Node> replicas_of(Node primary) const;
  Node primary_of(Slot slot) const;
  Node other_primary(Node than) const;
  Node primary_of(std::string_view key) const { return primary_of(slot_of(key)); }
  bool is_primary(Node node) const;

  /// SIGKILL, and what brings the node back: with the cluster as it knew it, and empty where nothing is persisted.
  void kill(Node node);
  void restart(Node node);
  /// All nodes are killed before the first comes back.
  void restart_all();

  /// SIGSTOP and SIGCONT.
  void pause(Node node);
  void resume(Node node);

  /// By hand. Without force the primary takes part and nothing is lost.
  void fail_over(Node replica, Force force = Force::no);

  /// Until one of these is a primary with slots; which.
  Node await_promotion(const std::vector<Node>& replicas) const;

  /// Until every node that runs says that the cluster is whole, all agree on who serves what, and every replica that
  /// runs follows its primary.
  void await_whole() const;

  /// The slots with their keys. Calls may go on meanwhile.
  void move_slots(const std::vector<Slot>& slots, Node to);

  /// The three steps of a move: from the first to the last, keys that are not (any more) at the old primary are
  /// answered with ASK.
  void begin_move(Slot slot, Node to);
  void move_keys(Slot slot, Node to);
  void finish_move(Slot slot, Node to);

  /// A primary without slots, without replicas and without functions.
  Node add_empty_primary();

  /// Gives its slots to another, makes every other node forget it, and stops it.
  void remove_primary(Node node, Node to);

 private:
  struct Member;
  struct Seen;
  using View = std::vector<Seen>;

  Node add_member();
  std::vector<std::string> arguments_of(const Member& member) const;
  void introduce(Node node, Node to) const;
  void follow(Node replica, Node primary) const;
  void forget(Node node, Node gone) const;
  Seen read(std::string_view line) const;
  View view_from(Node node) const;
  View latest_view() const;
  bool is_whole() const;
  bool is_settled(Node node, const View& view) const;
  bool all_see_primary(Node node) const;
  std::vector<Node> running() const;
  void move_keys(Slot slot, Node from, Node to) const;
  void move_slots(const std::vector<Slot>& slots, Node from, Node to);
  void move_at_once(const std::vector<Slot>& slots, Node from, Node to) const;
  /// Once.
  void demand(Node node, const std::vector<redis::Command>& commands) const;
  /// Again and again, those that were refused.
  void require(Node node, const std::vector<redis::Command>& commands) const;

  const ServerKind kind_;
  const ClusterLayout layout_;
  std::unique_ptr<Authority> authority_;
  Authority::Files files_;
  std::vector<std::unique_ptr<Member>> members_;
};

}  // namespace obol::testing

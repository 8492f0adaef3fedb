// The servers behind the address: every primary there is, each asked on its own.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "obol/redis_store_options.hpp"
#include "redis/client/client.hpp"
#include "redis/protocol/cluster_slots.hpp"

namespace obol::ctl {

/// Every command given to it must be one that may be sent twice. Loads the functions of this release where one of them
/// is called and missing.
class Primary {
 public:
  enum class Of { one_server, cluster };

  Primary(const RedisStoreOptions& options, Of whole);

  /// Opens a connection and closes it again: says at once, without the calls' patience, what is wrong.
  Result<void> check();

  Result<redis::Reply> call(const redis::Command& command);

  /// In few sends and in the commands' order, whatever their number.
  Result<std::vector<redis::Reply>> call_all(std::span<const redis::Command> commands);

  /// Once, error replies included.
  Result<redis::Inspection> inspect(std::span<const redis::Command> commands);

  /// A name for this run of this server; empty where INFO is not permitted.
  std::string run_id();

  std::string endpoint() { return client_.source().endpoint(); }

 private:
  Error told(Error error) const;

  const Of whole_;
  redis::Client client_;
};

class Server {
 public:
  /// Of a cluster: every primary that its nodes name, if together they serve all slots.
  static Result<Server> connect(const RedisStoreOptions& options);

  /// In an order that does not change.
  std::span<const std::unique_ptr<Primary>> primaries() const { return primaries_; }

  /// The primary that holds a key.
  Primary& primary_of(std::string_view key) const;

  /// `key`, with a number behind it where that is needed for a key that the primary holds.
  std::string key_at(const Primary& primary, std::string_view key) const;

  bool is_cluster() const { return !slots_.empty(); }

  /// An error where a cluster's slots have moved since: what was read from one primary after the other may then lack
  /// what went from a later one to an earlier one.
  Result<void> check_slots() const;

 private:
  using Slots = std::vector<redis::SlotRange>;

  static Result<Slots> slots_of(const RedisStoreOptions& options);
  Result<void> add_primaries();

  RedisStoreOptions options_;
  Slots slots_;  ///< In their order; empty: no cluster.
  std::vector<std::unique_ptr<Primary>> primaries_;
  std::vector<ServerAddress> announced_;  ///< Of each primary of a cluster.
  std::vector<Primary*> primary_of_range_;
};

}  // namespace obol::ctl

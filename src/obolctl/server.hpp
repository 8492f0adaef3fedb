// The servers behind the address: every primary there is, each asked on its own. Today there is one, and no cluster.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "obol/redis_options.hpp"
#include "redis/client.hpp"

namespace obol::ctl {

/// Every command given to it must be one that may be sent twice. Loads the functions of this release where one of them
/// is called and missing.
class Primary {
 public:
  explicit Primary(const RedisStoreOptions& options);

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
  redis::Client client_;
};

class Server {
 public:
  static Result<Server> connect(const RedisStoreOptions& options);

  /// In an order that does not change.
  std::span<const std::unique_ptr<Primary>> primaries() const { return primaries_; }

  /// The primary that holds a key.
  Primary& primary_of(std::string_view /*key*/) const { return *primaries_.front(); }

 private:
  std::vector<std::unique_ptr<Primary>> primaries_;
};

}  // namespace obol::ctl

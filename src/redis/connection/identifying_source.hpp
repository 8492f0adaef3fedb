// A source whose connections know which server process they lead to.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "redis/connection/connection_source.hpp"
#include "redis/protocol/server_identity.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Asks each connection of another source for its server's identity once, when it is opened.
class IdentifyingSource final : public ConnectionSource {
 public:
  explicit IdentifyingSource(std::shared_ptr<ConnectionSource> source) : source_(std::move(source)) {}

  /// If the server does not tell who it is, the connection's identity stays unknown.
  Result<Connection> dial(Deadline deadline) override;

  std::string endpoint() const override { return source_->endpoint(); }

  /// Whom the connection leads to that was opened last: where the address leads now, as far as is known.
  ServerIdentity latest() const { return latest_; }

 private:
  const std::shared_ptr<ConnectionSource> source_;
  std::atomic<ServerIdentity> latest_{};
};

}}}  // namespace obol::v0::redis

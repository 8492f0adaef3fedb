// Asks sentinels for the primary, then dials it.
#include "redis/connection/sentinel_dialer.hpp"

#include <fmt/format.h>

#include <utility>

#include "redis/core/primary_search.hpp"
#include "redis/protocol/primary_address.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

ConnectionOptions options_of_sentinel(const ConnectionOptions& options, const ServerAddress& address) {
  return {.host = address.host, .port = address.port, .tls = options.sentinel.tls, .client_name = options.client_name};
}

}  // namespace

SentinelDialer::SentinelDialer(const ConnectionOptions& options, std::size_t max_reply_bytes,
                               std::shared_ptr<CredentialsSource> credentials,
                               const std::shared_ptr<CredentialsSource>& sentinel_credentials)
    : options_(options),
      max_reply_bytes_(max_reply_bytes),
      credentials_(std::move(credentials)),
      fork_registration_(mutex_, [] {}) {
  for (const auto& address : options.sentinel.sentinels) {
    sentinels_.push_back(
        std::make_shared<Dialer>(options_of_sentinel(options, address), max_reply_bytes,
                                 Dialer::Place{.peer = Peer::sentinel, .credentials = sentinel_credentials}));
  }
}

Result<Connection> SentinelDialer::dial(Deadline deadline) {
  PrimarySearch search(sentinels_.size(), first());
  while (const auto turn = search.next()) {
    search.take(ask(*sentinels_[turn->sentinel], deadline.share(turn->parts)));
  }
  if (!search.primary()) return std::unexpected(search.error(options_.sentinel.primary_name));
  auto connection = dialer_to(*search.primary())->dial(deadline);
  if (const auto next = search.next_first(connection.has_value())) ask_first(*next);
  return connection;
}

Result<std::optional<ServerAddress>> SentinelDialer::ask(Dialer& sentinel, Deadline deadline) const {
  auto connection = sentinel.dial(Peer::sentinel, deadline);
  if (!connection) return std::unexpected(std::move(connection.error()));
  const auto reply = connection->call(primary_question(options_.sentinel.primary_name), deadline);
  auto answer = reply ? primary_answer(*reply) : std::unexpected(reply.error());
  if (!answer) return std::unexpected(sentinel.at_endpoint(std::move(answer.error())));
  return answer;
}

std::shared_ptr<Dialer> SentinelDialer::dialer_to(const ServerAddress& primary) {
  {
    const std::scoped_lock lock(mutex_);
    if (primary_ && named_ == primary) return primary_;
  }
  auto dialer = Dialer::to_announced(
      options_, max_reply_bytes_,
      {.credentials = credentials_, .announced = AnnouncedAddress{.address = primary, .by = Announcer::sentinel}});
  auto before = dialer;
  const std::scoped_lock lock(mutex_);
  std::swap(primary_, before);
  named_ = primary;
  return dialer;
}

std::string SentinelDialer::endpoint() const {
  const std::scoped_lock lock(mutex_);
  return primary_ ? primary_->endpoint() : fmt::format("primary '{}'", options_.sentinel.primary_name);
}

std::size_t SentinelDialer::first() const {
  const std::scoped_lock lock(mutex_);
  return first_;
}

void SentinelDialer::ask_first(std::size_t sentinel) {
  const std::scoped_lock lock(mutex_);
  first_ = sentinel;
}

}}}  // namespace obol::v0::redis

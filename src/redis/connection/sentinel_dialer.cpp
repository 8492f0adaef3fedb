// Asks sentinels for the primary, then dials it.
#include "redis/connection/sentinel_dialer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/decimal.hpp"
#include "options/server_address.hpp"
#include "redis/protocol/reply_error.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

ConnectionOptions options_of_sentinel(const ConnectionOptions& options, const ServerAddress& address) {
  return {.host = address.host, .port = address.port, .tls = options.sentinel.tls, .client_name = options.client_name};
}

}  // namespace

Command primary_question(const std::string& primary_name) {
  return {"SENTINEL", "GET-MASTER-ADDR-BY-NAME", primary_name};
}

Result<std::optional<ServerAddress>> primary_answer(const Reply& reply) {
  if (reply.is_error()) return std::unexpected(error_of(reply, primary_question("").name()));
  if (reply.kind == Reply::Kind::nil) return std::nullopt;
  if (reply.kind == Reply::Kind::list && reply.elements.size() == 2) {
    const auto host = reply.elements[0].text;
    const auto port = decimal<std::uint16_t>(reply.elements[1].text);
    if (!host.empty() && port && *port != 0) return ServerAddress{.host = std::string(host), .port = *port};
  }
  return std::unexpected(Error{ErrorCode::protocol, "the sentinel's reply is not a host and port"});
}

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
  auto named = find_primary(deadline);
  if (!named) return std::unexpected(std::move(named.error()));
  auto connection = dialer_to(named->primary)->dial(deadline);
  // Another may have heard of a fail-over already.
  if (!connection) ask_last(named->by);
  return connection;
}

// Each sentinel that is left, and the primary after them, may take an equal share of the time.
Result<SentinelDialer::Named> SentinelDialer::find_primary(Deadline deadline) {
  const auto all = sentinels();
  std::optional<Error> last_error;
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto primary = ask(*all[i], deadline.share(all.size() - i + 1));
    if (primary && *primary) {
      if (i > 0) ask_first(all[i]);
      return Named{.primary = std::move(**primary), .by = all[i]};
    }
    if (!primary && (!last_error || (is_transient(primary.error()) && !is_transient(*last_error)))) {
      last_error = std::move(primary.error());
    }
  }
  if (last_error) {
    last_error->message = fmt::format("no sentinel returned the primary's address: {}", last_error->message);
    return std::unexpected(std::move(*last_error));
  }
  return std::unexpected(
      Error{ErrorCode::invalid_argument, fmt::format("the sentinels monitor no primary called '{}'; check "
                                                     "connection.sentinel.primary_name",
                                                     options_.sentinel.primary_name)});
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

std::vector<SentinelDialer::Sentinel> SentinelDialer::sentinels() const {
  const std::scoped_lock lock(mutex_);
  return sentinels_;
}

void SentinelDialer::ask_first(const Sentinel& sentinel) {
  const std::scoped_lock lock(mutex_);
  std::ranges::rotate(sentinels_, std::ranges::find(sentinels_, sentinel));
}

void SentinelDialer::ask_last(const Sentinel& sentinel) {
  const std::scoped_lock lock(mutex_);
  std::ranges::rotate(sentinels_, std::next(std::ranges::find(sentinels_, sentinel)));
}

}}}  // namespace obol::v0::redis

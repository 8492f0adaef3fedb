#include "redis/loop/loop_connection.hpp"

#include <utility>

#include "redis/net/socket.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

/// What is kept of the memory for what the kernel does not take.
constexpr std::size_t most_outgoing_kept = 65'536;

}  // namespace

Passenger* PassengerFlight::next_to_answer() {
  auto answered = flight.answered();
  for (auto& passenger : passengers) {
    if (answered < passenger.replies()) return &passenger;
    answered -= passenger.replies();
  }
  return nullptr;
}

Result<std::unique_ptr<LoopConnection>> LoopConnection::adopt(Connection connection, Poller& poller, LoopNode& node,
                                                              Time now) {
  std::unique_ptr<LoopConnection> adopted(new LoopConnection(std::move(connection).release(), poller, node, now));
  auto watched = poller.watch(adopted->stream_->descriptor(), adopted.get(), false);
  if (!watched) return std::unexpected(std::move(watched.error()));
  return adopted;
}

LoopConnection::LoopConnection(ConnectionParts parts, Poller& poller, LoopNode& node, Time now)
    : idle_since(now),
      timer{.owner = this},
      stream_(std::move(parts.stream)),
      state_(std::move(parts.state)),
      credentials_(std::move(parts.credentials)),
      poller_(poller),
      node_(node) {}

LoopConnection::~LoopConnection() { poller_.forget(stream_->descriptor()); }

Result<void> LoopConnection::send(std::unique_ptr<PassengerFlight>& flight, Time now) {
  const auto questions = state_.questions_due(now, renewed_credentials(state_, credentials_.get(), now), unanswered_);
  const bool must_wait = !unwritten().empty();
  const auto bytes = flight->flight.bytes();
  flight->sent_at = now;
  unanswered_ += flight->flight.calls() + 1;
  flight->end = written_ + unwritten().size() + questions.size() + bytes.size();
  flights_.push_back(std::move(flight));
  std::size_t moved = 0;
  if (!must_wait && questions.empty()) {
    auto step = stream_->try_write(bytes);
    if (!step) return std::unexpected(std::move(step.error()));
    moved = step->moved;
    written_ += moved;
    if (moved == bytes.size()) return {};
  }
  outgoing_.append(questions).append(bytes.substr(moved));
  return must_wait ? Result<void>() : flush();
}

Result<void> LoopConnection::flush() {
  while (!unwritten().empty()) {
    auto step = stream_->try_write(unwritten());
    if (!step) return std::unexpected(std::move(step.error()));
    if (step->moved == 0) {
      watch_for_writing(step->need == Stream::Need::writable);
      return {};
    }
    taken_ += step->moved;
    written_ += step->moved;
  }
  outgoing_.clear();
  taken_ = 0;
  if (outgoing_.capacity() > most_outgoing_kept) outgoing_.shrink_to_fit();
  watch_for_writing(false);
  return {};
}

void LoopConnection::watch_for_writing(bool for_writing) {
  if (std::exchange(is_watched_for_writing_, for_writing) == for_writing) return;
  poller_.change(stream_->descriptor(), this, for_writing);
}

Result<bool> LoopConnection::receive(std::span<char> buffer) {
  auto step = stream_->try_read(buffer.data(), buffer.size());
  if (!step) return std::unexpected(std::move(step.error()));
  read_needs_writing_ = step->moved == 0 && step->need == Stream::Need::writable;
  if (read_needs_writing_) watch_for_writing(true);
  if (step->moved == 0) return false;
  state_.feed({buffer.data(), step->moved});
  return step->moved == buffer.size() || stream_->may_hold_bytes();
}

Result<std::unique_ptr<PassengerFlight>> LoopConnection::next_answered() {
  for (;;) {
    auto reply = state_.next_reply();
    if (!reply) return std::unexpected(std::move(reply.error()));
    if (!*reply) return nullptr;
    if (flights_.empty()) {
      return std::unexpected(Error{ErrorCode::unavailable, "a reply came that belongs to no command"});
    }
    --unanswered_;
    const auto all = flights_.front()->flight.take(std::move(**reply));
    if (!all) return std::unexpected(all.error());
    if (!*all) continue;
    auto answered = std::move(flights_.front());
    flights_.pop_front();
    return answered;
  }
}

void LoopConnection::reset() { reset_on_close(stream_->descriptor()); }

}}}  // namespace obol::v0::redis

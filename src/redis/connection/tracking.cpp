// The listening thread: dial, subscribe, take in changes, ask for signs of life, begin anew.
#include "redis/connection/tracking.hpp"

#include <sys/socket.h>

#include <optional>
#include <system_error>
#include <utility>

#include "base/random_generator.hpp"
#include "base/signals_blocked.hpp"
#include "redis/core/backoff.hpp"
#include "redis/protocol/reply_error.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

constexpr auto any_group = ~ParkingLot::Groups{0};

}  // namespace

Tracking::Tracking(IdentifyingSource& source, Listener& listener, Settings settings)
    : source_(source),
      listener_(listener),
      settings_(std::move(settings)),
      fork_registration_(mutex_, [this] { forget_parent(); }) {}

Tracking::~Tracking() {
  stop();
  // Only if the process exits inside the listener: a thread cannot wait for itself.
  [[maybe_unused]] const auto* const own = thread_.release();
}

Result<void> Tracking::start() {
  auto connection = begin();
  if (!connection) return std::unexpected(std::move(connection.error()));
  try {
    const SignalsBlocked blocked;
    const std::scoped_lock lock(mutex_);
    thread_ =
        std::make_unique<std::thread>([this, first = std::move(*connection)]() mutable { run(std::move(first)); });
    thread_id_ = thread_->get_id();
  } catch (const std::system_error&) {
    const Error error{ErrorCode::unavailable, "no thread could be started to listen for changes"};
    listener_.on_lost(error.message);
    return std::unexpected(error);
  }
  return {};
}

void Tracking::stop() {
  std::unique_ptr<std::thread> thread;
  {
    const std::scoped_lock lock(mutex_);
    stop_.post(WakeSignal::look);
    if (descriptor_ >= 0) ::shutdown(descriptor_, SHUT_RDWR);
    parking_lot_.wake(any_group);
    if (thread_id_ == std::this_thread::get_id()) return;
    if (!thread_ && !is_joining_) return;
    thread = std::move(thread_);
    is_joining_ = true;
  }
  if (!thread) return await_end();
  thread->join();
  ended_.post(WakeSignal::look);
  parking_lot_.wake(any_group);
}

// Another caller joins the thread.
void Tracking::await_end() {
  const auto has_ended = [this] { return ended_.word() != WakeSignal::none; };
  while (!has_ended()) parking_lot_.sleep(0, Deadline::Time::now() + std::chrono::seconds(1), has_ended);
}

// The thread is not here; its handle must be neither joined nor destroyed.
void Tracking::forget_parent() {
  [[maybe_unused]] const auto* const abandoned = thread_.release();
  thread_id_ = {};
  is_joining_ = false;
  descriptor_ = -1;
  stop_.post(WakeSignal::look);
  listener_.on_fork();
}

Result<Connection> Tracking::subscribe() {
  const auto deadline = Deadline::after(settings_.connect_timeout);
  auto connection = source_.dial(deadline);
  if (!connection) return connection;
  if (!connection->identity().is_known()) {
    // Without success, but to hear why.
    if (auto known = connection->identify(deadline); !known) {
      return std::unexpected(source_.at_endpoint(std::move(known.error())));
    }
  }
  connection->on_push([this](const Reply& push) { take_push(push); });
  const Command command{"CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", settings_.prefix};
  const auto reply = connection->call(command, deadline);
  if (!reply) return std::unexpected(source_.at_endpoint(reply.error()));
  if (reply->is_error()) {
    Error error = error_of(*reply, command.name());
    if (error.code == ErrorCode::permission) error.message += "; the near cache needs +client|tracking";
    if (error.code == ErrorCode::unsupported_server) error.message += "; only the near cache needs it";
    return std::unexpected(source_.at_endpoint(std::move(error)));
  }
  return connection;
}

Result<Connection> Tracking::begin() {
  auto connection = subscribe();
  if (!connection) return connection;
  listener_.on_listening(connection->identity());
  if (auto alive = send_heartbeat(*connection); !alive) {
    listener_.on_lost(alive.error().message);
    return std::unexpected(source_.at_endpoint(std::move(alive.error())));
  }
  return connection;
}

void Tracking::run(Connection connection) {
  std::optional<Connection> current(std::move(connection));
  Backoff backoff;
  for (;;) {
    if (current) {
      backoff = {};
      const auto reason = follow(*current);
      listener_.on_lost(is_stopping() ? "the store was closed" : reason);
      current.reset();
    }
    pause(backoff.next());
    if (is_stopping()) return;
    if (auto begun = begin()) current.emplace(std::move(*begun));
  }
}

// Returns why it ended.
std::string Tracking::follow(Connection& connection) {
  if (!set_descriptor(connection.descriptor())) return {};
  auto reason = listen(connection);
  set_descriptor(-1);
  return reason;
}

std::string Tracking::listen(Connection& connection) {
  auto next_question = Deadline::Time::now() + settings_.question_interval;
  auto lifetime_ends = Deadline::Time::now() + jittered(settings_.lifetime);
  for (;;) {
    // Also of what came together with the last answer.
    const auto reply = connection.next_reply();
    if (!reply) return reply.error().message;
    if (*reply) return "an unexpected reply arrived";
    if (Deadline::Time::now() >= next_question) {
      if (auto alive = send_heartbeat(connection); !alive) return alive.error().message;
      if (Deadline::Time::now() >= lifetime_ends) {
        if (auto renewed = renew(connection); !renewed) return renewed.error().message;
        lifetime_ends = Deadline::Time::now() + jittered(settings_.lifetime);
      }
      next_question = Deadline::Time::now() + settings_.question_interval;
      continue;
    }
    const auto received = connection.receive(Deadline::at(next_question));
    if (!received && received.error().code != ErrorCode::timeout) return received.error().message;
  }
}

// Without a gap: the next connection hears of changes before the last one has told all it heard of.
Result<void> Tracking::renew(Connection& connection) {
  auto next = subscribe();
  if (!next) return std::unexpected(std::move(next.error()));
  if (auto alive = send_heartbeat(connection); !alive) return alive;
  set_descriptor(next->descriptor());
  connection = std::move(*next);
  return {};
}

// Whatever the server changed before it answered was told in front of the answer.
Result<void> Tracking::send_heartbeat(Connection& connection) {
  const auto asked_at = Deadline::Time::now();
  if (auto primary = connection.confirm_role(Deadline::after(settings_.patience)); !primary) return primary;
  if (source_.latest() != connection.identity()) {
    return std::unexpected(Error{ErrorCode::unavailable, "the address now leads to another server"});
  }
  listener_.on_alive(asked_at);
  return {};
}

void Tracking::take_push(const Reply& push) {
  if (push.elements.size() != 2 || push.elements.front().text != "invalidate") return;
  const auto& keys = push.elements.back();
  if (keys.kind == Reply::Kind::nil) return listener_.on_flush();
  for (const auto& key : keys.elements) listener_.on_change(key.text);
}

// False once it shall stop.
bool Tracking::set_descriptor(int descriptor) {
  const std::scoped_lock lock(mutex_);
  descriptor_ = descriptor;
  return !is_stopping();
}

void Tracking::pause(std::chrono::microseconds time) {
  const auto end = Deadline::Time::now() + time;
  while (!is_stopping() && Deadline::Time::now() < end) parking_lot_.sleep(0, end, [this] { return is_stopping(); });
}

}}}  // namespace obol::v0::redis

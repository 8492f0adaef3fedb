// The listening thread: dial, subscribe, take in changes, ask for signs of life, begin anew.
#include "redis/tracking.hpp"

#include <sys/socket.h>

#include <optional>
#include <system_error>
#include <utility>

#include "redis/backoff.hpp"
#include "redis/reply_error.hpp"
#include "redis/signals_blocked.hpp"

namespace obol::inline v0::redis {

Tracking::Tracking(ConnectionSource& source, Listener& listener, Settings settings)
    : source_(source), listener_(listener), settings_(std::move(settings)), fork_registration_(mutex_, [this] {
        // The thread is not here; its handle must be neither joined nor destroyed.
        [[maybe_unused]] const auto* const abandoned = thread_.release();
        listener_.on_fork();
      }) {}

Tracking::~Tracking() { stop(); }

Result<void> Tracking::start() {
  auto connection = subscribe();
  if (!connection) return std::unexpected(std::move(connection.error()));
  try {
    const SignalsBlocked blocked;
    thread_ =
        std::make_unique<std::thread>([this, first = std::move(*connection)]() mutable { run(std::move(first)); });
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
    stopping_ = true;
    thread = std::move(thread_);
    if (descriptor_ >= 0) ::shutdown(descriptor_, SHUT_RDWR);
  }
  changed_.notify_all();
  if (thread) thread->join();
}

Result<Connection> Tracking::subscribe() {
  const auto deadline = Deadline::after(settings_.connect_timeout);
  auto connection = source_.dial(deadline);
  if (!connection) return connection;
  connection->on_push([this](const Reply& push) { take_push(push); });
  const auto reply =
      connection->call(Command{"CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", settings_.prefix}, deadline);
  if (!reply) return std::unexpected(source_.at_endpoint(reply.error()));
  if (reply->is_error()) {
    Error error = error_of(*reply);
    if (error.code == ErrorCode::permission) error.message += "; the near cache needs +client|tracking";
    return std::unexpected(source_.at_endpoint(std::move(error)));
  }
  listener_.on_listening();
  if (auto alive = ask_for_life(*connection); !alive) {
    listener_.on_lost(alive.error().message);
    return std::unexpected(source_.at_endpoint(std::move(alive.error())));
  }
  return connection;
}

void Tracking::run(Connection connection) {
  std::optional<Connection> current(std::move(connection));
  Backoff backoff;
  for (;;) {
    if (current && set_descriptor(current->descriptor())) {
      backoff = {};
      const auto reason = listen(*current);
      set_descriptor(-1);
      listener_.on_lost(reason);
      current.reset();
    }
    if (pause(backoff.next())) return;
    if (auto dialed = subscribe()) current.emplace(std::move(*dialed));
  }
}

// Returns why it ended.
std::string Tracking::listen(Connection& connection) {
  auto next_question = Deadline::Time::now() + settings_.question_interval;
  for (;;) {
    // Also of what came together with the last answer.
    const auto reply = connection.next_reply();
    if (!reply) return reply.error().message;
    if (*reply) return "a reply came that nobody asked for";
    if (Deadline::Time::now() >= next_question) {
      if (auto alive = ask_for_life(connection); !alive) return alive.error().message;
      next_question = Deadline::Time::now() + settings_.question_interval;
      continue;
    }
    const auto received = connection.receive(Deadline::at(next_question));
    if (!received && received.error().code != ErrorCode::timeout) return received.error().message;
  }
}

// Whatever the server changed before it answered was told in front of the answer.
Result<void> Tracking::ask_for_life(Connection& connection) {
  const auto asked_at = Deadline::Time::now();
  if (auto primary = connection.confirm_role(Deadline::after(settings_.patience)); !primary) return primary;
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
  return !stopping_;
}

// True where it shall stop.
bool Tracking::pause(std::chrono::microseconds time) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, time, [this] { return stopping_; });
}

}  // namespace obol::inline v0::redis

// The listening thread: dial, subscribe, take in changes, ask for signs of life, begin anew.
#include "redis/connection/tracking.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

#include "base/random_generator.hpp"
#include "base/signals_blocked.hpp"
#include "redis/core/backoff.hpp"
#include "redis/protocol/reply_error.hpp"
#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

constexpr auto any_group = ~ParkingLot::Groups{0};

/// Replies that are awaited at a time, which bounds what both sides buffer.
constexpr std::size_t most_unanswered = 1024;

}  // namespace

Tracking::Tracking(IdentifyingSource& source, Listener& listener, Settings settings)
    : Tracking(source, &source, listener, std::move(settings)) {}

Tracking::Tracking(ConnectionSource& source, Listener& listener, Settings settings)
    : Tracking(source, nullptr, listener, std::move(settings)) {}

Tracking::Tracking(ConnectionSource& source, IdentifyingSource* identifying, Listener& listener, Settings settings)
    : source_(source),
      identifying_(identifying),
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
  auto started = start_thread(std::move(*connection));
  if (!started) listener_.on_lost(started.error().message);
  return started;
}

Result<void> Tracking::start_unconnected() { return start_thread(std::nullopt); }

Result<void> Tracking::start_thread(std::optional<Connection> connection) {
  if (!waker_.is_open()) {
    return std::unexpected(Error{ErrorCode::unavailable, "no descriptor could be opened to listen for changes"});
  }
  try {
    const SignalsBlocked blocked;
    const std::scoped_lock lock(mutex_);
    if (is_stopping()) return {};
    thread_ = std::make_unique<std::thread>([this, first = std::move(connection)]() mutable { run(std::move(first)); });
    thread_id_ = thread_->get_id();
    return {};
  } catch (const std::system_error&) {
    return std::unexpected(Error{ErrorCode::unavailable, "no thread could be started to listen for changes"});
  }
}

void Tracking::wake() noexcept { waker_.wake(); }

void Tracking::stop() {
  std::unique_ptr<std::thread> thread;
  {
    const std::scoped_lock lock(mutex_);
    stop_.post(WakeSignal::look);
    if (descriptor_ >= 0) ::shutdown(descriptor_, SHUT_RDWR);
    waker_.wake();
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
  if (is_broadcasting() && !connection->identity().is_known()) {
    // Without success, but to hear why.
    if (auto known = connection->identify(deadline); !known) {
      return std::unexpected(source_.at_endpoint(std::move(known.error())));
    }
  }
  connection->on_push([this](const Reply& push) { take_push(push); });
  if (auto tracked = track(*connection, deadline); !tracked) {
    return std::unexpected(source_.at_endpoint(std::move(tracked.error())));
  }
  return connection;
}

Result<void> Tracking::track(Connection& connection, Deadline deadline) {
  const Command command = is_broadcasting() ? Command{"CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", settings_.prefix}
                                            : Command{"CLIENT", "TRACKING", "ON"};
  const auto reply = connection.call(command, deadline);
  if (!reply) return std::unexpected(reply.error());
  if (reply->is_error()) {
    Error error = error_of(*reply, command.name());
    if (error.code == ErrorCode::permission) error.message += "; " + settings_.purpose + " needs +client|tracking";
    if (error.code == ErrorCode::unsupported_server) error.message += "; only " + settings_.purpose + " needs it";
    return std::unexpected(std::move(error));
  }
  if (!settings_.probe) return {};
  const auto read = connection.call(*settings_.probe, deadline);
  if (!read) return std::unexpected(read.error());
  if (!read->is_error() || redirect_of(*read)) return {};
  Error error = error_of(*read, settings_.probe->name());
  if (error.code == ErrorCode::permission) error.message += "; " + settings_.purpose + " needs this right";
  return std::unexpected(std::move(error));
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

void Tracking::run(std::optional<Connection> connection) {
  Backoff backoff;
  for (;;) {
    if (connection) {
      const auto begun_at = Deadline::Time::now();
      const auto reason = follow(*connection);
      listener_.on_lost(is_stopping() ? std::string_view("the store was closed") : reason);
      connection.reset();
      // A server that refuses to be read answers everything else.
      if (is_broadcasting() || Deadline::Time::now() - begun_at > settings_.question_interval) backoff = {};
      pause(backoff.next());
    }
    if (is_stopping()) return;
    if (auto begun = within_memory([this] { return begin(); })) {
      connection.emplace(std::move(*begun));
      continue;
    }
    listener_.on_lost("no connection could be opened");
    static_cast<void>(within_memory([this]() -> Result<void> {
      listener_.on_unreachable();
      return {};
    }));
    pause(backoff.next());
  }
}

// Returns why it ended.
std::string Tracking::follow(Connection& connection) {
  if (!set_descriptor(connection.descriptor())) return {};
  auto ended = within_memory([&] { return listen(connection); });
  set_descriptor(-1);
  return ended ? std::string{} : std::move(ended.error().message);
}

// Until the connection is lost.
Result<void> Tracking::listen(Connection& connection) {
  const auto begun_at = Deadline::Time::now();
  Course course{.next_question = begun_at + settings_.question_interval,
                .lifetime_ends = begun_at + jittered(settings_.lifetime),
                .heard_at = begun_at};
  for (;;) {
    // Also of what came together with the last answer.
    if (auto taken = take_in(connection, course); !taken) return taken;
    if (auto asked = ask(connection, course); !asked) return asked;
    if (auto sent = read(connection, course); !sent) return sent;
    if (auto waited = wait(connection, course); !waited) return waited;
    if (is_stopping()) return std::unexpected(Error{ErrorCode::closed, {}});
  }
}

Result<void> Tracking::take_in(Connection& connection, Course& course) {
  const auto late = [&] { return course.heard_at + settings_.patience <= Deadline::Time::now(); };
  for (;;) {
    const auto reply = connection.next_reply();
    if (!reply) return std::unexpected(reply.error());
    if (!*reply) break;
    if (course.unanswered == 0) {
      return std::unexpected(Error{ErrorCode::protocol, "an unexpected reply arrived"});
    }
    --course.unanswered;
    course.heard_at = Deadline::Time::now();
    if (auto taken = listener_.on_reply(**reply); !taken) return taken;
  }
  // Whatever the server changed before it answered was told in front of the answer.
  if (course.asked_at && !connection.awaits_answers()) {
    if (auto same = check_address(connection); !same) return same;
    course.heard_at = Deadline::Time::now();
    listener_.on_alive(*std::exchange(course.asked_at, std::nullopt));
  }
  if ((course.asked_at || course.unanswered > 0) && late()) {
    return std::unexpected(late_answer());
  }
  return {};
}

// For a sign of life.
Result<void> Tracking::ask(Connection& connection, Course& course) {
  auto now = Deadline::Time::now();
  if (course.asked_at || now < course.next_question) return {};
  if (now >= course.lifetime_ends && course.unanswered == 0) {
    if (!is_broadcasting())
      return std::unexpected(Error{ErrorCode::unavailable, "the connection's lifetime has ended"});
    if (auto renewed = renew(connection); !renewed) return renewed;
    now = Deadline::Time::now();
    course.lifetime_ends = now + jittered(settings_.lifetime);
  }
  if (course.unanswered == 0) course.heard_at = now;
  course.asked_at = now;
  course.next_question = now + settings_.question_interval;
  return connection.ask_role(course.unanswered, Deadline::after(settings_.patience));
}

Result<void> Tracking::read(Connection& connection, Course& course) {
  if (course.unanswered >= most_unanswered) return {};
  const auto reads = listener_.next_reads(most_unanswered - course.unanswered);
  if (reads.count == 0) return {};
  if (course.unanswered == 0 && !course.asked_at) course.heard_at = Deadline::Time::now();
  if (auto sent = connection.send(reads.commands, Deadline::after(settings_.patience), course.unanswered); !sent) {
    return sent;
  }
  course.unanswered += reads.count;
  return {};
}

// For bytes, for what wake() or stop() tell, or for the next question.
Result<void> Tracking::wait(Connection& connection, const Course& course) {
  auto received = connection.receive_if_ready();
  if (!received) return std::unexpected(std::move(received.error()));
  if (*received) return {};
  auto until = course.next_question;
  if (course.asked_at || course.unanswered > 0) until = std::min(until, course.heard_at + settings_.patience);
  if (course.asked_at) until = course.heard_at + settings_.patience;
  waker_.wait_with(connection.descriptor(), Deadline::at(until));
  return {};
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

Result<void> Tracking::send_heartbeat(Connection& connection) {
  const auto asked_at = Deadline::Time::now();
  if (auto primary = connection.confirm_role(Deadline::after(settings_.patience)); !primary) return primary;
  if (auto same = check_address(connection); !same) return same;
  listener_.on_alive(asked_at);
  return {};
}

Result<void> Tracking::check_address(const Connection& connection) const {
  if (!is_broadcasting() || identifying_->latest() == connection.identity()) return {};
  return std::unexpected(Error{ErrorCode::unavailable, "the address now leads to another server"});
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

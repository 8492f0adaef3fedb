// Random calls: which, on what, and what is remembered of the answers.
#include "history/workload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <iterator>
#include <thread>
#include <utility>

#include "support/sessions.hpp"

namespace obol::testing::history {
namespace {

constexpr std::size_t calls_per_user = 3000;

/// So few that their callers meet; the next ones take their turn as the calls go on.
constexpr std::size_t users_at_a_time = 8;

std::string session_id(std::uint32_t session) { return fmt::format("s{}", session); }

/// Enough to make replies of a usual size; the rest of the payload is what matters.
std::string payload_of(std::string_view id, std::uint64_t version, std::uint64_t write) {
  return fmt::format("{} {} {} {}", id, version, write, std::string(write % 300, '.'));
}

/// The number behind `position`, which moves behind it and the character after it.
std::uint64_t take_number(std::string_view text, std::size_t& position) {
  std::uint64_t number = 0;
  const auto* const end = std::from_chars(text.data() + position, text.data() + text.size(), number).ptr;
  position = static_cast<std::size_t>(end - text.data()) + 1;
  return number;
}

std::uint32_t session_number(std::string_view id) {
  std::size_t position = 1;
  return static_cast<std::uint32_t>(take_number(id, position));
}

Seen seen_in(const Session& session) {
  std::size_t position = 1;
  Seen seen{.session = session_number(session.id), .version = session.lock_version};
  seen.named_session = static_cast<std::uint32_t>(take_number(session.extra_payload, position));
  seen.named_version = take_number(session.extra_payload, position);
  seen.named_write = take_number(session.extra_payload, position);
  return seen;
}

Outcome outcome_of(const Error& error, bool is_patient) {
  if (error.code == ErrorCode::conflict) return Outcome::conflict;
  if (error.code == ErrorCode::gone) return Outcome::gone;
  if (error.code == ErrorCode::expired) return Outcome::expired;
  if (error.code == ErrorCode::cancelled || (error.code == ErrorCode::timeout && !is_patient)) return Outcome::given_up;
  return Outcome::unknown;
}

}  // namespace

/// One thread's calls.
class Workload::Caller {
 public:
  Caller(Workload& workload, const Place& place, std::size_t number)
      : workload_(workload),
        store_(*place.store),
        is_async_(place.is_async),
        random_(workload.options_.seed * 1000 + number),
        next_write_((static_cast<std::uint64_t>(number) << 40) + 1) {}

  void run() {
    const auto& options = workload_.options_;
    for (auto begun = workload_.calls_begun_++; begun < options.calls; begun = workload_.calls_begun_++) {
      if (workload_.is_stopped_) return;
      first_user_ = begun / calls_per_user;
      user_index_ = nth_user_now(any(users_at_a_time));
      make_random_call();
      if (options.pause.count() > 0) std::this_thread::sleep_for(options.pause);
    }
  }

  std::vector<Call> take_calls() { return std::move(calls_); }

 private:
  std::size_t any(std::size_t count) { return std::uniform_int_distribution<std::size_t>(0, count - 1)(random_); }

  std::size_t nth_user_now(std::size_t number) const { return (first_user_ + number) % workload_.users_.size(); }

  void make_random_call() {
    user_ = &workload_.users_[user_index_];
    slot_ = any(slots_per_user);
    const auto known = look();
    const auto dice = any(100);
    if (dice < 5) return get(session_of_old());
    if (dice < 10) return get_all();
    if (dice < 12) return get_many();
    if (dice < 13) return delete_all();
    if (!known) return create();
    if (dice < 15) return delete_others(*known);
    if (dice < 21) return delete_one(*known);
    if (dice < 50) return refresh(*known);
    return get(known->id);
  }

  std::optional<Session> look() {
    const std::scoped_lock lock(user_->mutex);
    return user_->slots[slot_];
  }

  std::string session_of_old() {
    const std::scoped_lock lock(user_->mutex);
    return user_->sessions.empty() ? "s0" : session_id(user_->sessions[any(user_->sessions.size())]);
  }

  /// The slot forgets that session, if it still holds it.
  void forget(const std::string& id) {
    const std::scoped_lock lock(user_->mutex);
    for (auto& slot : user_->slots) {
      if (slot && slot->id == id) slot.reset();
    }
  }

  void forget_all_but(std::string_view id) {
    const std::scoped_lock lock(user_->mutex);
    for (auto& slot : user_->slots) {
      if (slot && slot->id != id) slot.reset();
    }
  }

  /// The slot learns of a newer version, if it still holds that session.
  void remember(const Session& session) {
    const std::scoped_lock lock(user_->mutex);
    for (auto& slot : user_->slots) {
      if (slot && slot->id == session.id && slot->lock_version < session.lock_version) slot = session;
    }
  }

  Call begin(Operation operation, std::uint32_t session) {
    return {.operation = operation,
            .user = static_cast<std::uint32_t>(user_index_),
            .session = session,
            .start = now(),
            .is_async = is_async_};
  }

  template <class Answer>
  void finish(Call& call, const Answer& answer) const {
    call.end = now();
    call.outcome = answer ? Outcome::done : outcome_of(answer.error(), !is_async_ || workload_.options_.is_patient);
    if (call.outcome == Outcome::unknown) call.error = answer.error().message;
  }

  void finish_delete(Call& call, const Result<Deleted>& answer) const {
    finish(call, answer);
    call.is_confirmed = answer && answer->confirmed_replicas >= workload_.options_.replicas;
  }

  /// In an outage calls fail at once; without a pause they would be most of the history.
  void keep(Call call) {
    if (call.outcome == Outcome::unknown) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    calls_.push_back(std::move(call));
  }

  void create() {
    const auto number = workload_.next_session_++;
    auto session = new_session(user_->id, session_id(number));
    {
      const std::scoped_lock lock(user_->mutex);
      user_->sessions.push_back(number);
    }
    upsert(Operation::create, session);
    // Known as version 1 even where the answer was lost: later calls find out.
    session.lock_version = 1;
    const std::scoped_lock lock(user_->mutex);
    user_->slots[slot_] = std::move(session);
  }

  void refresh(Session session) {
    if (upsert(Operation::refresh, session)) remember(session);
  }

  bool upsert(Operation operation, Session& session) {
    const auto write = next_write_++;
    session.extra_payload = payload_of(session.id, session.lock_version + 1, write);
    session.refresh_expires_at =
        std::chrono::floor<std::chrono::seconds>(workload_.options_.clock()) + std::chrono::hours(1);
    Call call = begin(operation, session_number(session.id));
    call.version = session.lock_version + 1;
    call.write = write;
    const auto answer = store_.upsert(session);
    finish(call, answer);
    if (!answer && answer.error().current) {
      call.seen.push_back(seen_in(*answer.error().current));
      remember(*answer.error().current);
    }
    if (call.outcome == Outcome::gone) forget(session.id);
    keep(std::move(call));
    return answer.has_value();
  }

  void get(const std::string& id) {
    Call call = begin(Operation::get, session_number(id));
    const auto answer = store_.get({.user_id = user_->id, .id = id});
    finish(call, answer);
    if (answer) take_found(call, id, *answer);
    keep(std::move(call));
  }

  /// One of each user whom the calls concern now, as far as it is known: they may be on different servers.
  void get_many() {
    std::vector<SessionKey> keys;
    std::vector<Call> calls;
    for (std::size_t i = 0; i < users_at_a_time; ++i) {
      user_index_ = nth_user_now(i);
      user_ = &workload_.users_[user_index_];
      const auto session = look();
      if (!session) continue;
      keys.push_back(session->key());
      calls.push_back(begin(Operation::get, session_number(session->id)));
    }
    const auto answer = store_.get_many(keys);
    for (std::size_t i = 0; i < calls.size(); ++i) {
      finish(calls[i], answer);
      user_ = &workload_.users_[calls[i].user];
      if (answer) take_found(calls[i], keys[i].id, (*answer)[i]);
      keep(std::move(calls[i]));
    }
  }

  void take_found(Call& call, const std::string& id, const std::optional<Session>& found) {
    if (found) {
      call.seen.push_back(seen_in(*found));
      remember(*found);
    } else {
      forget(id);
    }
  }

  void get_all() {
    Call call = begin(Operation::get_all, 0);
    const auto answer = store_.get_all(user_->id, "full");
    finish(call, answer);
    if (answer) std::ranges::transform(*answer, std::back_inserter(call.seen), seen_in);
    keep(std::move(call));
  }

  void delete_one(const Session& session) {
    Call call = begin(Operation::delete_one, session_number(session.id));
    finish_delete(call, store_.delete_one(session.key()));
    if (call.outcome == Outcome::done) forget(session.id);
    keep(std::move(call));
  }

  void delete_all() {
    Call call = begin(Operation::delete_all, 0);
    finish_delete(call, store_.delete_all(user_->id, "full"));
    if (call.outcome == Outcome::done) forget_all_but("");
    keep(std::move(call));
  }

  void delete_others(const Session& kept) {
    Call call = begin(Operation::delete_others, session_number(kept.id));
    finish_delete(call, store_.delete_others(kept.key()));
    if (call.outcome == Outcome::done) forget_all_but(kept.id);
    keep(std::move(call));
  }

  friend class Workload;
  Workload& workload_;
  SessionStore& store_;
  const bool is_async_;
  std::mt19937_64 random_;
  std::uint64_t next_write_;
  std::vector<Call> calls_;
  std::size_t first_user_ = 0;  ///< Of those whom the calls concern now.
  std::size_t user_index_ = 0;
  User* user_ = nullptr;
  std::size_t slot_ = 0;
};

Workload::Workload(const WorkloadOptions& options)
    : options_(options), users_(options.calls / calls_per_user + users_at_a_time) {
  for (std::size_t i = 0; i < users_.size(); ++i) users_[i].id = fmt::format("u{}", i);
}

void Workload::run(std::span<const Place> places) {
  std::vector<Caller> callers;
  callers.reserve(options_.threads);
  for (std::size_t i = 0; i < options_.threads; ++i) callers.emplace_back(*this, places[i % places.size()], i);
  {
    std::vector<std::jthread> threads;
    for (auto& caller : callers) threads.emplace_back([&caller] { caller.run(); });
  }
  for (auto& caller : callers) std::ranges::move(caller.take_calls(), std::back_inserter(history_));
}

std::vector<std::string> Workload::users_now() const {
  std::vector<std::string> ids;
  const auto first = calls_begun_ / calls_per_user;
  for (std::size_t i = 0; i < users_at_a_time; ++i) ids.push_back(users_[(first + i) % users_.size()].id);
  return ids;
}

void Workload::read_everything(SessionStore& store) {
  Caller reader(*this, {.store = &store}, options_.threads);
  for (std::size_t i = 0; i < users_.size(); ++i) {
    reader.user_index_ = i;
    reader.user_ = &users_[i];
    reader.get_all();
    const auto sessions = users_[i].sessions;
    for (const auto session : sessions) reader.get(session_id(session));
  }
  std::ranges::move(reader.take_calls(), std::back_inserter(history_));
}

}  // namespace obol::testing::history

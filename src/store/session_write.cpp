#include "store/session_write.hpp"

#include <utility>

#include "store/stored_session.hpp"
#include "store/upsert_errors.hpp"

namespace obol { inline namespace v0 {

std::unexpected<UpsertError> upsert_failure(Error error) { return std::unexpected(UpsertError{std::move(error), {}}); }

SessionWrite::SessionWrite(WriteContext context, Session& session, WriteOutcome& outcome)
    : options_(context.store.options),
      cache_(context.store.cache),
      keyring_(std::move(context.keyring)),
      randomness_(context.randomness),
      session_(session),
      outcome_(outcome),
      stored_key_(make_stored_key(options_.key_prefix, session.user_id, session.type)) {}

std::optional<Request> SessionWrite::begin(std::string_view id) {
  auto sealed = sealing::seal(session_, {.id = id, .lock_version = lock_version()}, stored_key(), keyring_,
                              options_.encryption, randomness_);
  if (!sealed) {
    fail(std::move(sealed.error()));
    return std::nullopt;
  }
  sealed_ = std::move(*sealed);
  invalidation_.emplace(cache_, stored_key());
  return request();
}

Request SessionWrite::request() const {
  return {.kind = Request::Kind::write, .key = stored_key(), .expiry = field_expiry(session_)};
}

SealedSession SessionWrite::sealed(std::string_view id) const {
  return {.id = id, .lock_version = lock_version(), .expiry = field_expiry(session_), .sealed = sealed_};
}

void SessionWrite::store_unless(bool is_past) {
  if (is_past) return fail_as_expired();
  ++session_.lock_version;
}

bool SessionWrite::take_replaced(const Answer& answer) {
  auto result = update_result(answer.replies.front());
  if (!result) {
    fail(std::move(result.error()));
    return false;
  }
  switch (result->outcome) {
    case UpdateResult::Outcome::stored:
      ++session_.lock_version;
      return true;
    case UpdateResult::Outcome::conflict:
      lose_to(result->sealed, answer.now);
      return false;
    case UpdateResult::Outcome::expired:
      fail_as_expired();
      return false;
    case UpdateResult::Outcome::gone:
      break;
  }
  fail(gone());
  return false;
}

void SessionWrite::compare(std::optional<std::string_view> standing, Now now) {
  if (standing == sealed_) {
    ++session_.lock_version;
  } else {
    lose_to(standing, now);
  }
}

void SessionWrite::lose_to(std::optional<std::string_view> winner, Now now) {
  std::optional<Session> current;
  const Judgement judgement{.options = options_, .keyring = keyring_, .now = now};
  if (!open_stored(winner, stored_key(), session_.key(), judgement, current)) current.reset();
  fail(conflict(std::move(current)));
}

void SessionWrite::fail_as_expired() {
  fail(Error{ErrorCode::expired,
             "by the server's clock the session expires now or in the past; nothing was stored: "
             "synchronise the clocks of the hosts and the server"});
}

}}  // namespace obol::v0

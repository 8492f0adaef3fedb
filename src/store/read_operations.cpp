#include "store/read_operations.hpp"

#include <algorithm>
#include <utility>

#include "obol/session_limits.hpp"
#include "store/stored_session.hpp"

namespace obol { inline namespace v0 {
namespace {

// Whoever has seen a session gone, or newer, must not find the old one in the cache afterwards: the server's word of
// the change may still be on its way.
void update_cache(NearCache& cache, const NearCache::Ticket& ticket, redis::ServerIdentity read_from,
                  std::string_view stored_key, const std::optional<Session>& read) {
  if (read) {
    cache.keep(ticket, read_from, stored_key, *read);
  } else {
    cache.invalidate(stored_key);
  }
}

}  // namespace

GetOperation::GetOperation(const StoreContext& context, const SessionKey& key, ReadFrom from, Outcome& outcome)
    : options_(context.options),
      cache_(from == ReadFrom::primary ? context.cache : nullptr),
      key_(key),
      from_(from),
      outcome_(outcome),
      stored_key_(make_stored_key(options_.key_prefix, key.user_id, key.type)) {}

bool GetOperation::find_near(Now now) {
  auto& session = *outcome_;
  session = cache_->find(stored_key_.view(), key_.id);
  if (session && is_live(*session, now)) return true;
  session.reset();
  return false;
}

std::optional<Request> GetOperation::begin() {
  if (cache_ != nullptr) ticket_ = cache_->begin_read(stored_key_.view());
  command_ = get_command(stored_key_.view(), key_.id);
  return Request{.may_ask_replica = from_ == ReadFrom::replica, .key = stored_key_.view(), .commands = {&command_, 1}};
}

std::optional<Request> GetOperation::take(const Answer& answer) {
  const auto sealed = get_result(answer.replies.front());
  if (!sealed) {
    fail(sealed.error());
    return std::nullopt;
  }
  const Judgement judgement{.options = options_, .keyring = answer.keyring, .now = answer.now};
  if (auto opened = open_stored(*sealed, stored_key_.view(), key_, judgement, *outcome_); !opened) {
    fail(std::move(opened.error()));
  } else if (ticket_) {
    update_cache(*cache_, *ticket_, answer.answered_by, stored_key_.view(), *outcome_);
  }
  return std::nullopt;
}

std::optional<Request> GetManyOperation::begin() {
  outcome_->reserve(keys_.size());
  return ask_for_more();
}

std::optional<Request> GetManyOperation::ask_for_more() {
  const auto left = keys_.subspan(outcome_->size());
  if (left.empty()) return std::nullopt;
  asked_ = left.first(std::min(left.size(), most_keys_at_once));
  stored_keys_.clear();
  commands_.clear();
  tickets_.clear();
  stored_keys_.reserve(asked_.size());
  commands_.reserve(asked_.size());
  if (cache_ != nullptr) tickets_.reserve(asked_.size());
  for (const auto& key : asked_) {
    const auto& stored = stored_keys_.emplace_back(stored_key(options_.key_prefix, key.user_id, key.type));
    commands_.push_back(get_command(stored, key.id));
    if (cache_ != nullptr) tickets_.push_back(cache_->begin_read(stored));
  }
  return Request{.kind = Request::Kind::each, .keys = stored_keys_, .commands = commands_};
}

std::optional<Request> GetManyOperation::take(const Answer& answer) {
  for (std::size_t i = 0; i < asked_.size(); ++i) {
    if (auto taken = take_one(i, answer); !taken) {
      fail(std::move(taken.error()));
      return std::nullopt;
    }
  }
  return ask_for_more();
}

Result<void> GetManyOperation::take_one(std::size_t index, const Answer& answer) {
  const auto sealed = get_result(answer.replies[index]);
  if (!sealed) return std::unexpected(sealed.error());
  auto& session = outcome_->emplace_back();
  const Judgement judgement{.options = options_, .keyring = answer.keyring, .now = answer.now};
  const auto& stored = stored_keys_[index];
  if (auto opened = open_stored(*sealed, stored, asked_[index], judgement, session); !opened) return opened;
  if (cache_ != nullptr) update_cache(*cache_, tickets_[index], answer.answered_by, stored, session);
  return {};
}

GetAllOperation::GetAllOperation(const StoreContext& context, std::string_view user_id, std::string_view type,
                                 ReadFrom from, Outcome& outcome)
    : options_(context.options),
      user_id_(user_id),
      type_(type),
      from_(from),
      outcome_(outcome),
      stored_key_(make_stored_key(options_.key_prefix, user_id, type)),
      invalidation_(from == ReadFrom::primary ? context.cache : nullptr, stored_key_.view()) {}

std::optional<Request> GetAllOperation::begin() {
  command_ = get_all_command(stored_key_.view());
  return Request{.may_ask_replica = from_ == ReadFrom::replica, .key = stored_key_.view(), .commands = {&command_, 1}};
}

std::optional<Request> GetAllOperation::take(const Answer& answer) {
  const auto fields = get_all_result(answer.replies.front());
  if (!fields) {
    fail(fields.error());
    return std::nullopt;
  }
  const Judgement judgement{.options = options_, .keyring = answer.keyring, .now = answer.now};
  auto& sessions = *outcome_;
  sessions.reserve(fields->size());
  for (const auto& field : *fields) {
    auto& session = sessions.emplace_back();
    session.id = field.id;
    session.user_id = user_id_;
    session.type = type_;
    auto is_usable = open_stored(field.sealed, stored_key_.view(), judgement, session);
    if (!is_usable) {
      fail(std::move(is_usable.error()));
      return std::nullopt;
    }
    if (!*is_usable) sessions.pop_back();
  }
  return std::nullopt;
}

}}  // namespace obol::v0

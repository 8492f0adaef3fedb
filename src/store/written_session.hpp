// Writes of a store that blocks, with the outcomes that those of an asynchronous store have.
#pragma once

#include <expected>
#include <utility>

#include "obol/async_session_store.hpp"
#include "obol/session_store.hpp"

namespace obol { inline namespace v0 {

inline std::expected<UpsertedSession, UpsertError> upserted(SessionStore& store, Session session) {
  auto outcome = store.upsert(session);
  if (!outcome) return std::unexpected(std::move(outcome.error()));
  return UpsertedSession{std::move(*outcome), std::move(session)};
}

inline std::expected<Session, UpsertError> with_new_id(SessionStore& store, Session session) {
  auto outcome = store.rotate_id(session);
  if (!outcome) return std::unexpected(std::move(outcome.error()));
  return session;
}

}}  // namespace obol::v0

// Which function of a store makes the call that a flow asks for, and what its outcome is to the flow. The same for
// stores that block and for asynchronous ones.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "manager/flows.hpp"
#include "obol/async_session_store.hpp"

namespace obol { inline namespace v0 { namespace manager {

/// Makes the call, with what the request holds. `Store` has the functions of AsyncSessionStore, with or without
/// options.
template <class Store, class... Options>
auto make_call(Store& store, GetSession& request, Options&&... options) {
  return store.get(std::move(request.key), std::forward<Options>(options)...);
}
template <class Store, class... Options>
auto make_call(Store& store, UpsertSession& request, Options&&... options) {
  return store.upsert(std::move(request.session), std::forward<Options>(options)...);
}
template <class Store, class... Options>
auto make_call(Store& store, RotateSessionId& request, Options&&... options) {
  return store.rotate_id(std::move(request.session), std::forward<Options>(options)...);
}
template <class Store, class... Options>
auto make_call(Store& store, DeleteSession& request, Options&&... options) {
  return store.delete_one(std::move(request.key), std::forward<Options>(options)...);
}
template <class Store, class... Options>
auto make_call(Store& store, DeleteOtherSessions& request, Options&&... options) {
  return store.delete_others(std::move(request.keep), std::forward<Options>(options)...);
}
template <class Store, class... Options>
auto make_call(Store& store, GetAllSessions& request, Options&&... options) {
  return store.get_all(std::move(request.user_id), std::move(request.type), std::forward<Options>(options)...);
}

/// A reply that has no session.
template <class Reply>
Reply failed(Error error) {
  return Reply(std::unexpect, typename Reply::error_type{std::move(error)});
}

inline StoreReply reply_of(Result<std::optional<Session>> found) {
  if (!found) return failed<StoreReply>(std::move(found.error()));
  return std::move(*found);
}
inline StoreReply reply_of(std::expected<UpsertedSession, UpsertError> stored) {
  if (!stored) return std::unexpected(std::move(stored.error()));
  return std::move(stored->session);
}
inline StoreReply reply_of(std::expected<Session, UpsertError> stored) {
  if (!stored) return std::unexpected(std::move(stored.error()));
  return std::move(*stored);
}
inline StoreReply reply_of(Result<Deleted> deleted) {
  if (!deleted) return failed<StoreReply>(std::move(deleted.error()));
  return std::nullopt;
}
inline Result<std::vector<Session>> reply_of(Result<std::vector<Session>> listed) { return listed; }

}}}  // namespace obol::v0::manager

// A finished call of a store, as reported to an observer.
#pragma once

#include <chrono>
#include <string_view>

#include "obol/error.hpp"

namespace obol { inline namespace v0 {

/// The functions of SessionStore; an upsert is a create (lock version 0) or an update.
enum class Operation { get, get_many, create, update, rotate_id, delete_one, get_all, delete_all, delete_others };

/// Returns the name of the enumerator: "get", "get_many", ….
constexpr std::string_view to_string(Operation operation) noexcept {
  switch (operation) {
    case Operation::get:
      return "get";
    case Operation::get_many:
      return "get_many";
    case Operation::create:
      return "create";
    case Operation::update:
      return "update";
    case Operation::rotate_id:
      return "rotate_id";
    case Operation::delete_one:
      return "delete_one";
    case Operation::get_all:
      return "get_all";
    case Operation::delete_all:
      return "delete_all";
    case Operation::delete_others:
      break;
  }
  return "delete_others";
}

/// How a call ended.
enum class CallOutcome {
  done,        ///< A call other than `get` succeeded.
  found,       ///< `get` returned the session from the server.
  found_near,  ///< `get` returned the session from the near cache.
  absent,      ///< `get` returned nothing: the session is not stored, has expired or failed verification.
  failed,      ///< The call failed with an error.
};

/// Returns the name of the enumerator: "done", "found", ….
constexpr std::string_view to_string(CallOutcome outcome) noexcept {
  switch (outcome) {
    case CallOutcome::done:
      return "done";
    case CallOutcome::found:
      return "found";
    case CallOutcome::found_near:
      return "found_near";
    case CallOutcome::absent:
      return "absent";
    case CallOutcome::failed:
      break;
  }
  return "failed";
}

/// A finished call.
struct CallEvent {
  Operation operation = Operation::get;     ///< Which call.
  CallOutcome outcome = CallOutcome::done;  ///< How it ended.
  ErrorCode error{};                        ///< Set if the outcome is `failed`.
  std::chrono::nanoseconds duration{};      ///< Total time, including waiting and repeats.
};

}}  // namespace obol::v0

// Every call of a store, made at once or as one session's life, for tests of what all calls promise.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "obol/session_store.hpp"
#include "support/sessions.hpp"

namespace obol::testing {

struct TimedCall {
  std::string_view call;
  std::error_code code{};
  std::string message{};
  std::chrono::steady_clock::duration took{};
};

template <class Outcome>
std::error_code code_of(const Outcome& outcome) {
  return outcome ? std::error_code{} : outcome.error().code;
}

/// Makes every kind of call, each in a thread of its own, for sessions that are not stored.
inline std::vector<TimedCall> make_all_calls(SessionStore& store) {
  const auto make = [](std::string_view name, auto call) {
    return std::async(std::launch::async, [name, call] {
      const auto start = std::chrono::steady_clock::now();
      const auto outcome = call();
      TimedCall result{.call = name, .took = std::chrono::steady_clock::now() - start};
      if (!outcome) {
        result.code = outcome.error().code;
        result.message = outcome.error().message;
      }
      return result;
    });
  };
  const auto upsert = [&store](std::string id, std::uint64_t lock_version) {
    auto session = new_session("caller", std::move(id));
    session.lock_version = lock_version;
    return store.upsert(session);
  };
  const SessionKey key{.user_id = "caller", .id = "absent"};
  std::vector<std::future<TimedCall>> calls;
  calls.push_back(make("get", [&] { return store.get(key); }));
  calls.push_back(make("create", [&] { return upsert("created", 0); }));
  calls.push_back(make("update", [&] { return upsert("absent", 1); }));
  calls.push_back(make("delete_one", [&] { return store.delete_one(key); }));
  calls.push_back(make("get_all", [&] { return store.get_all("caller", "full"); }));
  calls.push_back(make("delete_all", [&] { return store.delete_all("caller", "full"); }));
  calls.push_back(make("delete_all of types", [&] { return store.delete_all("caller", {"full", "pending"}); }));
  calls.push_back(make("delete_others", [&] { return store.delete_others(key); }));
  std::vector<TimedCall> outcomes;
  for (auto& call : calls) outcomes.push_back(call.get());
  return outcomes;
}

/// Creates, refreshes, reads, lists and deletes a session: the first error, or nothing where every answer was right.
inline std::error_code live_a_session(SessionStore& store) {
  const auto wrong = make_error_code(ErrorCode::internal);
  auto session = new_session("life", "session");
  for (int version = 1; version <= 2; ++version) {
    if (const auto code = code_of(store.upsert(session))) return code;
  }
  const auto found = store.get(session.key());
  if (!found) return found.error().code;
  const auto all = store.get_all("life", "full");
  if (!all) return all.error().code;
  if (*found != session || *all != std::vector{session}) return wrong;
  if (const auto code = code_of(store.delete_others(session.key()))) return code;
  if (const auto code = code_of(store.delete_one(session.key()))) return code;
  return code_of(store.delete_all("life", "full"));
}

/// True once every call works again without the store being made anew; waits for it at most twenty seconds.
inline bool comes_to_work(SessionStore& store) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < give_up) {
    if (!live_a_session(store)) return true;
    static_cast<void>(store.delete_all("life", "full"));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

}  // namespace obol::testing

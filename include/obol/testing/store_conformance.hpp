// A GoogleTest suite for any SessionStore: checks every guarantee of obol/session_store.hpp, including races.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <latch>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "obol/session_limits.hpp"
#include "obol/session_store.hpp"

/// To use it, write a factory and instantiate the suite with it:
///
///     struct MyStoreFactory {
///       std::unique_ptr<obol::SessionStore> make_store();  // On a fresh, empty place; maximum payload 1 MiB.
///       // Optional: another store on the same place, as another process would have it.
///       std::unique_ptr<obol::SessionStore> make_second_store();
///     };
///     namespace obol::testing {
///     INSTANTIATE_TYPED_TEST_SUITE_P(MyStore, StoreConformance, MyStoreFactory);
///     }
namespace obol::testing {

/// Returns the code of the error, or none if there is no error.
template <class T, class E>
std::error_code code_of(const std::expected<T, E>& outcome) {
  return outcome ? std::error_code() : outcome.error().code;
}

/// Returns all 256 byte values.
inline std::string every_byte() {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  return bytes;
}

/// Owns a store that lives as long as the test.
template <class Factory>
class StoreConformance : public ::testing::Test {
 protected:
  using Seconds = std::chrono::seconds;

  static std::chrono::sys_seconds now() { return std::chrono::floor<Seconds>(std::chrono::system_clock::now()); }

  static Session make_session(std::string user_id = "user", std::string id = "session", std::string type = "full") {
    return {.id = std::move(id),
            .user_id = std::move(user_id),
            .type = std::move(type),
            .refresh_token_id = "token",
            .created_at = now(),
            .refreshed_at = now(),
            .refresh_expires_at = now() + Seconds(600),
            .tokens_fresh_from = now(),
            .prev_tokens_fresh_from = now(),
            .extra_payload = "payload"};
  }

  Session stored(Session session) {
    const auto outcome = store->upsert(session);
    EXPECT_TRUE(outcome.has_value()) << (outcome ? "" : outcome.error().message);
    return session;
  }

  std::optional<Session> get(const SessionKey& key) {
    const auto found = store->get(key);
    EXPECT_TRUE(found.has_value()) << (found ? "" : found.error().message);
    return found.value_or(std::nullopt);
  }

  std::size_t count(std::string_view user_id = "user", std::string_view type = "full") {
    const auto all = store->get_all(user_id, type);
    EXPECT_TRUE(all.has_value()) << (all ? "" : all.error().message);
    return all ? all->size() : 0;
  }

  /// Runs the work in that many threads, which start at the same time.
  static void in_threads(int threads, const std::function<void(int)>& work) {
    std::latch start(threads);
    std::vector<std::jthread> running;
    for (int i = 0; i < threads; ++i) {
      running.emplace_back([&, i] {
        start.arrive_and_wait();
        work(i);
      });
    }
  }

  /// Runs a refresh and a logout at the same time, many times: whichever comes first, the session is gone afterwards.
  void expect_logout_to_win(const std::function<Result<Deleted>(const Session&)>& log_out) {
    for (int round = 0; round < 100; ++round) {
      Session session = stored(make_session("user", "race " + std::to_string(round)));
      in_threads(2, [&](int thread) {
        if (thread == 1) {
          EXPECT_TRUE(log_out(session).has_value());
          return;
        }
        Session refreshed = session;
        const auto outcome = store->upsert(refreshed);
        if (!outcome) {
          EXPECT_EQ(outcome.error().code, ErrorCode::gone) << outcome.error().message;
        }
      });
      ASSERT_EQ(get(session.key()), std::nullopt) << "in round " << round;
    }
  }

  /// Checks that every call refuses the session's key, and that nothing is stored.
  void expect_refused(const Session& session) {
    Session copy = session;
    EXPECT_EQ(code_of(store->upsert(copy)), ErrorCode::invalid_argument);
    EXPECT_EQ(copy, session);
    EXPECT_EQ(code_of(store->get(session.key())), ErrorCode::invalid_argument);
    EXPECT_EQ(code_of(store->delete_one(session.key())), ErrorCode::invalid_argument);
    EXPECT_EQ(code_of(store->delete_others(session.key())), ErrorCode::invalid_argument);
  }

  Factory factory;
  std::unique_ptr<SessionStore> store = factory.make_store();
};

TYPED_TEST_SUITE_P(StoreConformance);

TYPED_TEST_P(StoreConformance, GetOfAnUnknownSessionIsNothing) {
  EXPECT_EQ(this->get({.user_id = "nobody", .id = "nothing"}), std::nullopt);
}

TYPED_TEST_P(StoreConformance, ASessionIsReadExactlyAsItWasStored) {
  auto session = this->make_session();
  session.created_at = std::chrono::sys_seconds(std::chrono::seconds(-86'400));
  session.refreshed_at = std::chrono::sys_seconds(std::chrono::seconds(0));
  session.tokens_fresh_from = std::chrono::sys_seconds(std::chrono::seconds(std::numeric_limits<std::int64_t>::min()));
  session.prev_tokens_fresh_from =
      std::chrono::sys_seconds(std::chrono::seconds(std::numeric_limits<std::int64_t>::max()));
  session.refresh_expires_at = latest_expiry;
  session.expires_at = latest_expiry - std::chrono::seconds(1);
  const auto stored = this->stored(session);
  EXPECT_EQ(this->get(session.key()), stored);
  session.lock_version = 1;
  EXPECT_EQ(stored, session);
}

TYPED_TEST_P(StoreConformance, EmptyMembersStayEmpty) {
  auto session = this->make_session();
  session.refresh_token_id.clear();
  session.extra_payload.clear();
  session.expires_at.reset();
  const auto stored = this->stored(session);
  EXPECT_EQ(this->get(session.key()), stored);
}

TYPED_TEST_P(StoreConformance, IdsTokensAndPayloadsHoldEveryByte) {
  auto session = this->make_session(every_byte(), every_byte());
  session.refresh_token_id = every_byte();
  session.extra_payload = every_byte();
  const auto stored = this->stored(session);
  EXPECT_EQ(this->get(session.key()), stored);
  EXPECT_EQ(this->store->get_all(session.user_id, session.type).value(), std::vector{stored});
  ASSERT_TRUE(this->store->delete_one(session.key()).has_value());
  EXPECT_EQ(this->get(session.key()), std::nullopt);
}

TYPED_TEST_P(StoreConformance, APayloadOfOneMebibyteIsKept) {
  auto session = this->make_session();
  session.extra_payload.assign(default_max_payload_bytes, 'x');
  const auto stored = this->stored(session);
  EXPECT_EQ(this->get(session.key()), stored);
}

TYPED_TEST_P(StoreConformance, APayloadOverTheLimitIsTooLarge) {
  auto session = this->make_session();
  session.extra_payload.assign(default_max_payload_bytes + 1, 'x');
  EXPECT_EQ(code_of(this->store->upsert(session)), ErrorCode::too_large);
  EXPECT_EQ(session.lock_version, 0U);
  EXPECT_EQ(this->get(session.key()), std::nullopt);
}

TYPED_TEST_P(StoreConformance, LockVersionsCountTheWrites) {
  auto session = this->make_session();
  for (std::uint64_t version = 1; version <= 300; ++version) {
    ASSERT_TRUE(this->store->upsert(session).has_value());
    ASSERT_EQ(session.lock_version, version);
  }
  EXPECT_EQ(this->get(session.key()), session);
}

TYPED_TEST_P(StoreConformance, CreatingASessionThatStandsIsAConflictWithTheOneThatStands) {
  const auto first = this->stored(this->make_session());
  auto second = this->make_session();
  second.extra_payload = "another";
  const auto before = second;
  const auto outcome = this->store->upsert(second);
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, ErrorCode::conflict);
  EXPECT_EQ(outcome.error().current, first);
  EXPECT_EQ(second, before);
  EXPECT_EQ(this->get(first.key()), first);
}

TYPED_TEST_P(StoreConformance, UpdatingAStaleVersionIsAConflictWithTheWinner) {
  const auto stale = this->stored(this->make_session());
  auto winner = stale;
  winner.extra_payload = "winner";
  winner = this->stored(winner);
  for (const std::uint64_t version :
       {std::uint64_t{1}, std::uint64_t{3}, std::uint64_t{1} << 53, (std::uint64_t{1} << 53) + 2}) {
    auto loser = stale;
    loser.lock_version = version;
    const auto outcome = this->store->upsert(loser);
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().code, ErrorCode::conflict);
    EXPECT_EQ(outcome.error().current, winner);
    EXPECT_EQ(loser.lock_version, version);
  }
  EXPECT_EQ(this->get(stale.key()), winner);
}

TYPED_TEST_P(StoreConformance, ALateRefreshOfALoggedOutSessionIsGone) {
  const auto session = this->stored(this->make_session());
  ASSERT_TRUE(this->store->delete_one(session.key()).has_value());
  auto late = session;
  const auto outcome = this->store->upsert(late);
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, ErrorCode::gone);
  EXPECT_EQ(outcome.error().current, std::nullopt);
  EXPECT_EQ(late, session);
  EXPECT_EQ(this->get(session.key()), std::nullopt);
}

TYPED_TEST_P(StoreConformance, AnExpiredSessionIsNotStored) {
  for (const auto offset : {0, -1, -1'000'000}) {
    for (const bool absolute : {false, true}) {
      auto session = this->make_session();
      (absolute ? session.expires_at.emplace() : session.refresh_expires_at) =
          this->now() + std::chrono::seconds(offset);
      const auto before = session;
      EXPECT_EQ(code_of(this->store->upsert(session)), ErrorCode::expired);
      EXPECT_EQ(session, before);
    }
  }
  EXPECT_EQ(this->count(), 0U);
}

TYPED_TEST_P(StoreConformance, AnExpiredUpdateLeavesTheStoredSessionAlone) {
  const auto session = this->stored(this->make_session());
  auto expired = session;
  expired.refresh_expires_at = this->now();
  EXPECT_EQ(code_of(this->store->upsert(expired)), ErrorCode::expired);
  EXPECT_EQ(this->get(session.key()), session);
}

TYPED_TEST_P(StoreConformance, ASessionEndsByItselfAtTheSecond) {
  for (const bool absolute : {false, true}) {
    auto session = this->make_session("user", absolute ? "absolute" : "refresh");
    const auto end = this->now() + std::chrono::seconds(3);
    (absolute ? session.expires_at.emplace() : session.refresh_expires_at) = end;
    session = this->stored(session);
    for (;;) {
      const auto before = std::chrono::system_clock::now();
      const auto found = this->get(session.key());
      const auto after = std::chrono::system_clock::now();
      // Valkey's background expiry deletes a field a millisecond before a read would find it expired.
      if (after < end - std::chrono::milliseconds(1)) {
        ASSERT_EQ(found, session);
      }
      if (before >= end) {
        ASSERT_EQ(found, std::nullopt);
        break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    EXPECT_EQ(this->count(), 0U);
    auto late = session;
    late.refresh_expires_at = this->now() + std::chrono::seconds(60);
    late.expires_at.reset();
    ASSERT_EQ(code_of(this->store->upsert(late)), ErrorCode::gone);
    late.lock_version = 0;
    ASSERT_TRUE(this->store->upsert(late).has_value());
    ASSERT_TRUE(this->store->delete_one(late.key()).has_value());
  }
}

TYPED_TEST_P(StoreConformance, ARefreshMovesTheEnd) {
  auto session = this->make_session();
  const auto first_end = this->now() + std::chrono::seconds(3);
  session.refresh_expires_at = first_end;
  session = this->stored(session);
  session.refresh_expires_at = this->now() + std::chrono::seconds(600);
  session = this->stored(session);
  std::this_thread::sleep_until(first_end + std::chrono::milliseconds(200));
  EXPECT_EQ(this->get(session.key()), session);
}

TYPED_TEST_P(StoreConformance, DeletesSucceedWhereNothingIsStored) {
  const SessionKey key{.user_id = "nobody", .id = "nothing"};
  EXPECT_TRUE(this->store->delete_one(key).has_value());
  EXPECT_TRUE(this->store->delete_all(key.user_id, key.type).has_value());
  EXPECT_TRUE(this->store->delete_others(key).has_value());
}

TYPED_TEST_P(StoreConformance, DeleteOneDeletesThatSessionOnly) {
  const auto doomed = this->stored(this->make_session("user", "doomed"));
  const auto kept = this->stored(this->make_session("user", "kept"));
  ASSERT_TRUE(this->store->delete_one(doomed.key()).has_value());
  EXPECT_EQ(this->get(doomed.key()), std::nullopt);
  EXPECT_EQ(this->get(kept.key()), kept);
}

TYPED_TEST_P(StoreConformance, DeleteAllDeletesThatUserAndTypeOnly) {
  for (const auto* id : {"a", "b", "c"}) this->stored(this->make_session("user", id));
  const auto other_type = this->stored(this->make_session("user", "a", "oauth2"));
  const auto other_user = this->stored(this->make_session("other", "a"));
  ASSERT_TRUE(this->store->delete_all("user", "full").has_value());
  EXPECT_EQ(this->count(), 0U);
  EXPECT_EQ(this->get(other_type.key()), other_type);
  EXPECT_EQ(this->get(other_user.key()), other_user);
}

TYPED_TEST_P(StoreConformance, DeleteAllOfSeveralTypesDeletesThoseTypesOfThatUserOnly) {
  for (const auto* type : {"full", "pending"}) {
    for (const auto* id : {"a", "b", "c"}) this->stored(this->make_session("user", id, type));
  }
  const auto other_type = this->stored(this->make_session("user", "a", "oauth2"));
  const auto other_user = this->stored(this->make_session("other", "a", "pending"));
  ASSERT_TRUE(this->store->delete_all("user", {"full", "pending", "full", "never_stored"}).has_value());
  for (const auto* type : {"full", "pending"}) EXPECT_TRUE(this->store->get_all("user", type).value().empty());
  EXPECT_EQ(this->get(other_type.key()), other_type);
  EXPECT_EQ(this->get(other_user.key()), other_user);
  ASSERT_TRUE(this->store->delete_all("user", {"full", "pending"}).has_value());
}

TYPED_TEST_P(StoreConformance, DeleteAllOfTypesThatAreRefusedDeletesNothing) {
  const auto stands = this->stored(this->make_session("user", "a", "t0"));
  std::vector<std::string> types{"t0"};
  const auto code_for = [&](const std::string& user) {
    return code_of(this->store->delete_all(user, std::span<const std::string>(types)));
  };
  EXPECT_EQ(code_for(""), ErrorCode::invalid_argument);
  for (const auto* type : {"", "a b", "{a"}) {
    types = {"t0", type};
    EXPECT_EQ(code_for("user"), ErrorCode::invalid_argument) << type;
  }
  types.clear();
  EXPECT_EQ(code_for("user"), ErrorCode::invalid_argument);
  while (types.size() <= max_types_per_call) types.push_back("t" + std::to_string(types.size()));
  EXPECT_EQ(code_for("user"), ErrorCode::invalid_argument);
  EXPECT_EQ(this->get(stands.key()), stands);
  types.pop_back();
  EXPECT_EQ(code_for("user"), std::error_code());
  EXPECT_EQ(this->get(stands.key()), std::nullopt);
}

TYPED_TEST_P(StoreConformance, DeleteOthersKeepsExactlyTheOneNamed) {
  const auto kept = this->stored(this->make_session("user", "kept"));
  for (int i = 0; i < 20; ++i) this->stored(this->make_session("user", "other " + std::to_string(i)));
  const auto other_type = this->stored(this->make_session("user", "a", "oauth2"));
  ASSERT_TRUE(this->store->delete_others(kept.key()).has_value());
  EXPECT_EQ(this->store->get_all("user", "full").value(), std::vector{kept});
  EXPECT_EQ(this->get(other_type.key()), other_type);
}

TYPED_TEST_P(StoreConformance, DeleteOthersOfAnUnknownSessionDeletesAll) {
  for (const auto* id : {"a", "b"}) this->stored(this->make_session("user", id));
  ASSERT_TRUE(this->store->delete_others({.user_id = "user", .id = "unknown"}).has_value());
  EXPECT_EQ(this->count(), 0U);
}

TYPED_TEST_P(StoreConformance, GetAllIsEverySessionThatGetReturns) {
  std::vector<Session> sessions;
  for (int i = 0; i < 100; ++i) sessions.push_back(this->stored(this->make_session("user", "id " + std::to_string(i))));
  auto all = this->store->get_all("user", "full").value();
  ASSERT_EQ(all.size(), sessions.size());
  for (const auto& session : sessions) EXPECT_NE(std::ranges::find(all, session), all.end());
}

TYPED_TEST_P(StoreConformance, GetManyIsWhatGetReturnsForEachKey) {
  std::vector<SessionKey> keys;
  std::vector<std::optional<Session>> expected;
  // More than fits into one batch.
  for (int i = 0; i < 1100; ++i) {
    const auto session = this->make_session("user " + std::to_string(i % 7), "id " + std::to_string(i));
    keys.push_back(session.key());
    expected.push_back(i % 3 == 0 ? std::nullopt : std::optional(this->stored(session)));
  }
  keys.push_back(keys[1]);
  expected.push_back(expected[1]);
  EXPECT_EQ(this->store->get_many(keys).value(), expected);
  EXPECT_TRUE(this->store->get_many({}).value().empty());
}

TYPED_TEST_P(StoreConformance, GetManyOfAnImpossibleKeyIsRefused) {
  const auto stands = this->stored(this->make_session("user", "id"));
  const std::vector keys{stands.key(), SessionKey{.user_id = "user", .id = ""}};
  EXPECT_EQ(code_of(this->store->get_many(keys)), ErrorCode::invalid_argument);
}

TYPED_TEST_P(StoreConformance, UsersTypesAndIdsThatLookAlikeAreNeverMixed) {
  const std::vector<std::string> names{"a", "a:b", "a}:full", "{a}", "a.full", "a\n", std::string("a\0", 2),
                                       "A", "aa",  " a"};
  std::vector<Session> sessions;
  for (const auto& user : names) {
    for (const auto& id : names) {
      for (const auto* type : {"full", "b", "Full"})
        sessions.push_back(this->stored(this->make_session(user, id, type)));
    }
  }
  for (const auto& session : sessions) ASSERT_EQ(this->get(session.key()), session);
  ASSERT_TRUE(this->store->delete_all("a", "full").has_value());
  const auto is_deleted = [](const Session& session) { return session.user_id == "a" && session.type == "full"; };
  for (const auto& session : sessions) ASSERT_EQ(this->get(session.key()).has_value(), !is_deleted(session));
  ASSERT_TRUE(this->store->delete_all("a}:full", {"b", "full"}).has_value());
  for (const auto& session : sessions) {
    const bool deleted = is_deleted(session) || (session.user_id == "a}:full" && session.type != "Full");
    ASSERT_EQ(this->get(session.key()).has_value(), !deleted);
  }
}

TYPED_TEST_P(StoreConformance, IdsOutsideTheirLimitsAreRefused) {
  for (const auto& id : {std::string(), std::string(257, 'x')}) {
    this->expect_refused(this->make_session("user", id));
    this->expect_refused(this->make_session(id));
    EXPECT_EQ(code_of(this->store->get_all(id, "full")), ErrorCode::invalid_argument);
    EXPECT_EQ(code_of(this->store->delete_all(id, "full")), ErrorCode::invalid_argument);
  }
  const auto longest = this->make_session(std::string(256, 'u'), std::string(256, 's'), std::string(64, 't'));
  const auto stored = this->stored(longest);
  EXPECT_EQ(this->get(longest.key()), stored);
}

TYPED_TEST_P(StoreConformance, TypesOutsideTheirAlphabetAreRefused) {
  for (const auto& type : {std::string(), std::string(65, 't'), std::string("a b"), std::string("a:b"),
                           std::string("{a"), std::string("a}"), std::string("a\0", 2), std::string("\xC3\xA9")}) {
    this->expect_refused(this->make_session("user", "session", type));
    EXPECT_EQ(code_of(this->store->get_all("user", type)), ErrorCode::invalid_argument);
    EXPECT_EQ(code_of(this->store->delete_all("user", type)), ErrorCode::invalid_argument);
  }
}

TYPED_TEST_P(StoreConformance, OtherMembersOutsideTheirLimitsAreRefused) {
  const std::array<std::function<void(Session&)>, 3> spoilers{
      [](Session& session) { session.refresh_token_id.assign(257, 'x'); },
      [](Session& session) { session.refresh_expires_at = latest_expiry + std::chrono::seconds(1); },
      [](Session& session) { session.lock_version = std::numeric_limits<std::uint64_t>::max(); }};
  for (const auto& spoil : spoilers) {
    auto session = this->make_session();
    spoil(session);
    const auto outcome = this->store->upsert(session);
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().code, ErrorCode::invalid_argument);
    EXPECT_FALSE(outcome.error().message.empty());
  }
}

TYPED_TEST_P(StoreConformance, OfManyRefreshesAtOnceExactlyOneWins) {
  auto session = this->stored(this->make_session());
  for (int round = 0; round < 30; ++round) {
    std::atomic<int> winners = 0;
    std::vector<Session> attempts(16, session);  // Identical in every byte.
    std::vector<std::optional<Session>> seen(16);
    this->in_threads(16, [&](int thread) {
      const auto index = static_cast<std::size_t>(thread);
      const auto outcome = this->store->upsert(attempts[index]);
      if (outcome) {
        ++winners;
      } else {
        EXPECT_EQ(outcome.error().code, ErrorCode::conflict);
        seen[index] = outcome.error().current;
      }
    });
    ASSERT_EQ(winners, 1) << "in round " << round;
    ++session.lock_version;
    ASSERT_EQ(this->get(session.key()), session);
    for (std::size_t i = 0; i < attempts.size(); ++i) {
      ASSERT_TRUE(attempts[i] == session || seen[i] == session);
    }
  }
}

TYPED_TEST_P(StoreConformance, OfManyLoginsWithOneIdExactlyOneWins) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> winners = 0;
    const auto session = this->make_session("user", "id " + std::to_string(round));
    this->in_threads(8, [&](int) {
      auto attempt = session;
      if (this->store->upsert(attempt)) ++winners;
    });
    ASSERT_EQ(winners, 1);
  }
}

TYPED_TEST_P(StoreConformance, ARefreshNeverUndoesDeleteOne) {
  this->expect_logout_to_win([&](const Session& session) { return this->store->delete_one(session.key()); });
}

TYPED_TEST_P(StoreConformance, ARefreshNeverUndoesDeleteAll) {
  this->expect_logout_to_win(
      [&](const Session& session) { return this->store->delete_all(session.user_id, session.type); });
}

TYPED_TEST_P(StoreConformance, ARefreshNeverUndoesDeleteAllOfSeveralTypes) {
  this->expect_logout_to_win(
      [&](const Session& session) { return this->store->delete_all(session.user_id, {"pending", session.type}); });
}

TYPED_TEST_P(StoreConformance, ARefreshNeverUndoesDeleteOthers) {
  this->expect_logout_to_win([&](const Session& session) {
    return this->store->delete_others({.user_id = session.user_id, .type = session.type, .id = "kept"});
  });
}

TYPED_TEST_P(StoreConformance, WritesOfDifferentSessionsAtOnceLoseNothing) {
  this->in_threads(16, [&](int thread) {
    auto session = this->make_session("user", "id " + std::to_string(thread));
    for (int write = 0; write < 20; ++write) {
      const auto outcome = this->store->upsert(session);
      ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
    }
  });
  const auto all = this->store->get_all("user", "full").value();
  EXPECT_EQ(all.size(), 16U);
  for (const auto& session : all) EXPECT_EQ(session.lock_version, 20U);
}

TYPED_TEST_P(StoreConformance, ARotatedSessionHasANewIdAndTheOldOneIsGone) {
  const auto before = this->stored(this->make_session());
  auto session = before;
  session.extra_payload = "logged in";
  const auto outcome = this->store->rotate_id(session);
  ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
  EXPECT_NE(session.id, before.id);
  EXPECT_EQ(session.lock_version, before.lock_version + 1);
  EXPECT_EQ(this->get(before.key()), std::nullopt);
  EXPECT_EQ(this->get(session.key()), session);
  EXPECT_EQ(this->count(), 1U);
}

TYPED_TEST_P(StoreConformance, ALateRefreshOfARotatedSessionIsGone) {
  auto late = this->stored(this->make_session());
  auto session = late;
  ASSERT_TRUE(this->store->rotate_id(session).has_value());
  EXPECT_EQ(code_of(this->store->upsert(late)), ErrorCode::gone);
  EXPECT_EQ(code_of(this->store->rotate_id(late)), ErrorCode::gone);
  EXPECT_EQ(this->count(), 1U);
}

TYPED_TEST_P(StoreConformance, RotatingAStaleVersionIsAConflictWithTheWinner) {
  auto stale = this->stored(this->make_session());
  const auto winner = this->stored(stale);
  const auto before = stale;
  const auto outcome = this->store->rotate_id(stale);
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, ErrorCode::conflict);
  EXPECT_EQ(outcome.error().current, winner);
  EXPECT_EQ(stale, before);
  EXPECT_EQ(this->get(winner.key()), winner);
}

TYPED_TEST_P(StoreConformance, ASessionThatWasNeverStoredCannotBeRotated) {
  auto session = this->make_session();
  EXPECT_EQ(code_of(this->store->rotate_id(session)), ErrorCode::invalid_argument);
  EXPECT_EQ(this->count(), 0U);
}

TYPED_TEST_P(StoreConformance, OfManyRotationsAtOnceExactlyOneWins) {
  auto session = this->stored(this->make_session());
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> winners = 0;
    std::vector<Session> attempts(8, session);
    this->in_threads(8, [&](int thread) {
      auto& attempt = attempts[static_cast<std::size_t>(thread)];
      if (this->store->rotate_id(attempt)) ++winners;
    });
    ASSERT_EQ(winners, 1);
    ASSERT_EQ(this->count(), 1U);
    session = this->store->get_all("user", "full").value().front();
  }
}

TYPED_TEST_P(StoreConformance, ASecondStoreOnTheSamePlaceSeesTheSame) {
  if constexpr (requires { this->factory.make_second_store(); }) {
    const auto second = this->factory.make_second_store();
    const auto session = this->stored(this->make_session());
    EXPECT_EQ(second->get(session.key()).value(), session);
    ASSERT_TRUE(second->delete_one(session.key()).has_value());
    EXPECT_EQ(this->get(session.key()), std::nullopt);
  } else {
    GTEST_SKIP() << "the factory makes no second store";
  }
}

REGISTER_TYPED_TEST_SUITE_P(
    StoreConformance, GetOfAnUnknownSessionIsNothing, ASessionIsReadExactlyAsItWasStored, EmptyMembersStayEmpty,
    IdsTokensAndPayloadsHoldEveryByte, APayloadOfOneMebibyteIsKept, APayloadOverTheLimitIsTooLarge,
    LockVersionsCountTheWrites, CreatingASessionThatStandsIsAConflictWithTheOneThatStands,
    UpdatingAStaleVersionIsAConflictWithTheWinner, ALateRefreshOfALoggedOutSessionIsGone, AnExpiredSessionIsNotStored,
    AnExpiredUpdateLeavesTheStoredSessionAlone, ASessionEndsByItselfAtTheSecond, ARefreshMovesTheEnd,
    DeletesSucceedWhereNothingIsStored, DeleteOneDeletesThatSessionOnly, DeleteAllDeletesThatUserAndTypeOnly,
    DeleteAllOfSeveralTypesDeletesThoseTypesOfThatUserOnly, DeleteAllOfTypesThatAreRefusedDeletesNothing,
    DeleteOthersKeepsExactlyTheOneNamed, DeleteOthersOfAnUnknownSessionDeletesAll, GetAllIsEverySessionThatGetReturns,
    GetManyIsWhatGetReturnsForEachKey, GetManyOfAnImpossibleKeyIsRefused, UsersTypesAndIdsThatLookAlikeAreNeverMixed,
    IdsOutsideTheirLimitsAreRefused, TypesOutsideTheirAlphabetAreRefused, OtherMembersOutsideTheirLimitsAreRefused,
    OfManyRefreshesAtOnceExactlyOneWins, OfManyLoginsWithOneIdExactlyOneWins, ARefreshNeverUndoesDeleteOne,
    ARefreshNeverUndoesDeleteAll, ARefreshNeverUndoesDeleteAllOfSeveralTypes, ARefreshNeverUndoesDeleteOthers,
    WritesOfDifferentSessionsAtOnceLoseNothing, ARotatedSessionHasANewIdAndTheOldOneIsGone,
    ALateRefreshOfARotatedSessionIsGone, RotatingAStaleVersionIsAConflictWithTheWinner,
    ASessionThatWasNeverStoredCannotBeRotated, OfManyRotationsAtOnceExactlyOneWins,
    ASecondStoreOnTheSamePlaceSeesTheSame);

}  // namespace obol::testing

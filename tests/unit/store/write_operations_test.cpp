// Operations that store a session: what they ask for, and what they make of each reply a server can give.
#include "store/write_operations.hpp"

#include <functional>

#include "operation_test.hpp"

namespace obol::testing { namespace {

using Words = std::vector<std::string>;

std::error_code code_of(const WriteOutcome& outcome) { return outcome ? std::error_code() : outcome.error().code; }

class Write : public OperationTest {
 protected:
  Write() { stored.lock_version = 0; }

  WriteContext write_context(StoreContext store) const {
    return {.store = store, .keyring = keyring, .randomness = {}};
  }
  WriteContext write_context() const { return write_context(context()); }

  /// As whoever was faster has stored it.
  Session rivals() const {
    auto made = stored;
    ++made.lock_version;
    made.extra_payload = "rival";
    return made;
  }

  Session stored = session;
  std::vector<std::string> evicted;
  WriteOutcome outcome;
};

/// Of a session that is new.
class Create : public Write {
 protected:
  UpsertOperation create{write_context(), stored, evicted, outcome};

  /// Tells it that the id is taken.
  void begin_to_compare() {
    (void)create.begin();
    EXPECT_EQ(words_of(tell(create, number(0))), (Words{"HGET", stored_key, "session"}));
  }
};

TEST_F(Create, AsksToStoreItUnlessTheIdIsTaken) {
  const auto request = create.begin();
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->kind, Request::Kind::write);
  EXPECT_EQ(request->key, stored_key);
  EXPECT_EQ(request->expiry, field_expiry(stored));
  const auto words = words_of(create.make_write(false));
  ASSERT_EQ(words.size(), 9U);
  EXPECT_EQ(words[0], "HSETEX");
  EXPECT_EQ(words[1], stored_key);
  EXPECT_EQ(words[2], "FNX");
  EXPECT_EQ(words[4], std::to_string(field_expiry(stored).time_since_epoch().count()));
  EXPECT_EQ(words[7], "session");
  EXPECT_EQ(words_of(create.make_write(true)), words);
  auto written = stored;
  written.lock_version = 1;
  EXPECT_EQ(sealing::open(words[8], stored_key, stored.key(), keyring, Encryption::off), written);
}

TEST_F(Create, CountsAsAWriteOnceItIsStored) {
  (void)create.begin();
  EXPECT_EQ(stored.lock_version, 0U);
  EXPECT_EQ(tell(create, number(1)), std::nullopt);
  EXPECT_TRUE(outcome.has_value());
  EXPECT_EQ(stored.lock_version, 1U);
}

TEST_F(Create, HasExpiredIfTheServersClockSaysSo) {
  (void)create.begin();
  EXPECT_EQ(tell(create, number(1), true), std::nullopt);
  EXPECT_EQ(code_of(outcome), ErrorCode::expired);
  EXPECT_EQ(stored.lock_version, 0U);
}

TEST_F(Create, WhoseIdIsTakenByItsOwnLostAttemptIsStored) {
  (void)create.begin();
  const auto own = words_of(create.make_write(false)).back();
  (void)tell(create, number(0));
  EXPECT_EQ(tell(create, text(own)), std::nullopt);
  EXPECT_TRUE(outcome.has_value());
  EXPECT_EQ(stored.lock_version, 1U);
}

TEST_F(Create, WhoseIdIsTakenByAnotherIsAConflictWithThatSession) {
  begin_to_compare();
  const auto theirs = sealed(rivals());
  EXPECT_EQ(tell(create, text(theirs)), std::nullopt);
  EXPECT_EQ(code_of(outcome), ErrorCode::conflict);
  EXPECT_EQ(outcome.error().current, rivals());
  EXPECT_EQ(stored.lock_version, 0U);
}

TEST_F(Create, WhoseIdWasTakenByWhatIsGoneOrForgedIsAConflictWithoutASession) {
  const auto forged = sealed(rivals(), 'f');
  const auto newer = sealed_in_newer_format(rivals());
  for (const auto& reply : {std::optional<std::string>(), std::optional(forged), std::optional(newer)}) {
    WriteOutcome result;
    UpsertOperation operation(write_context(), stored, evicted, result);
    (void)operation.begin();
    (void)tell(operation, number(0));
    EXPECT_EQ(tell(operation, reply ? text(*reply) : nil()), std::nullopt);
    EXPECT_EQ(code_of(result), ErrorCode::conflict);
    EXPECT_EQ(result.error().current, std::nullopt);
  }
  EXPECT_EQ(observer->count("verification_failed"), 2U);
}

TEST_F(Create, FailsForAReplyOfAnotherKindAtEitherStep) {
  (void)create.begin();
  EXPECT_EQ(tell(create, nil()), std::nullopt);
  EXPECT_EQ(code_of(outcome), ErrorCode::protocol);
  WriteOutcome result;
  UpsertOperation operation(write_context(), stored, evicted, result);
  (void)operation.begin();
  (void)tell(operation, number(0));
  EXPECT_EQ(tell(operation, number(1)), std::nullopt);
  EXPECT_EQ(code_of(result), ErrorCode::protocol);
}

TEST_F(Create, FailsWithTheErrorOfItsTransport) {
  begin_to_compare();
  create.fail(lost());
  EXPECT_EQ(code_of(outcome), ErrorCode::timeout);
  EXPECT_EQ(stored.lock_version, 0U);
}

// A cache that is asked before the write is back may be filled with what stood before it.
TEST_F(Write, DropsWhatIsKeptOnceItIsOverWhateverCameOfIt) {
  const std::vector<std::function<void(UpsertOperation&)>> endings{
      [this](UpsertOperation& operation) { (void)tell(operation, number(1)); },
      [this](UpsertOperation& operation) { (void)tell(operation, nil()); },
      [](UpsertOperation& operation) { operation.fail(lost()); }, [](UpsertOperation&) {}};
  for (const auto& end : endings) {
    {
      UpsertOperation operation(write_context(cached_context()), stored, evicted, outcome);
      (void)operation.begin();
      keep(session);
      end(operation);
    }
    EXPECT_FALSE(is_kept(session));
  }
}

class Update : public Write {
 protected:
  Update() { stored.lock_version = 7; }
};

TEST_F(Update, AsksToReplaceTheVersionBefore) {
  UpsertOperation update(write_context(), stored, evicted, outcome);
  EXPECT_EQ(update.begin()->kind, Request::Kind::write);
  for (const bool checks_clock : {false, true}) {
    const auto words = words_of(update.make_write(checks_clock));
    ASSERT_EQ(words.size(), 9U);
    EXPECT_EQ(words[0], "FCALL");
    EXPECT_EQ(words[4], "session");
    EXPECT_EQ(words[5], sealing::encode_lock_version(7));
    EXPECT_EQ(words[6].substr(0, 8), sealing::encode_lock_version(8));
    EXPECT_EQ(words[8], checks_clock ? "1" : "0");
  }
}

/// What an update or a rotation makes of a reply.
struct Replaced {
  redis::Reply reply;
  std::error_code code;
  bool has_current;
};

std::vector<Replaced> replaced_cases(std::string_view theirs, std::string_view forged) {
  std::vector<Replaced> cases;
  cases.push_back({number(1), {}, false});
  cases.push_back({number(-1), ErrorCode::expired, false});
  cases.push_back({number(0), ErrorCode::internal, false});
  cases.push_back({nil(), ErrorCode::gone, false});
  cases.push_back({text(theirs), ErrorCode::conflict, true});
  cases.push_back({text(forged), ErrorCode::conflict, false});
  cases.push_back({list(), ErrorCode::protocol, false});
  return cases;
}

TEST_F(Update, TakesEachReply) {
  const auto theirs = sealed(rivals());
  const auto forged = sealed(rivals(), 'f');
  for (const auto& [reply, code, has_current] : replaced_cases(theirs, forged)) {
    auto given = stored;
    WriteOutcome result;
    UpsertOperation update(write_context(), given, evicted, result);
    (void)update.begin();
    EXPECT_EQ(tell(update, reply), std::nullopt);
    EXPECT_EQ(code_of(result), code);
    EXPECT_EQ(given.lock_version, result ? 8U : 7U);
    if (!result) {
      EXPECT_EQ(result.error().current, has_current ? std::optional(rivals()) : std::nullopt);
    }
  }
}

TEST_F(Update, TakesAConflictForWhatItIsOnlyWhileThatSessionLives) {
  auto theirs = rivals();
  theirs.refresh_expires_at = expired.refresh_expires_at;
  const auto bytes = sealed(theirs);
  UpsertOperation update(write_context(), stored, evicted, outcome);
  (void)update.begin();
  (void)tell(update, text(bytes));
  EXPECT_EQ(code_of(outcome), ErrorCode::conflict);
  EXPECT_EQ(outcome.error().current, std::nullopt);
}

class Rotate : public Update {
 protected:
  Rotate() { options.policy = {.revocation_mark_lifetime = std::chrono::minutes(5)}; }

  Words words_of_rotation() {
    RotateOperation rotate(write_context(), stored, "new", now, outcome);
    EXPECT_TRUE(rotate.begin().has_value());
    return words_of(rotate.make_write(true));
  }
};

TEST_F(Rotate, AsksToStoreItUnderTheNewId) {
  const auto words = words_of_rotation();
  ASSERT_EQ(words.size(), 10U);
  EXPECT_EQ(words[2], "1");
  EXPECT_EQ(words[4], "session");
  EXPECT_EQ(words[6], "new");
  EXPECT_EQ(words[9], "1");
  auto rotated = stored;
  rotated.id = "new";
  rotated.lock_version = 8;
  EXPECT_EQ(sealing::open(words[7], stored_key, rotated.key(), keyring, Encryption::off), rotated);
}

TEST_F(Rotate, LeavesAMarkIfThePolicySaysSo) {
  options.policy.mark_on_rotate_id = true;
  const auto words = words_of_rotation();
  ASSERT_EQ(words.size(), 13U);
  EXPECT_EQ(words[2], "2");
  EXPECT_EQ(words[4], mark_key(stored_key));
  EXPECT_EQ(words[11], std::to_string(std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count()));
  EXPECT_EQ(words[12], "300");
}

TEST_F(Rotate, TakesEachReplyAndChangesTheSessionOnlyIfItIsStored) {
  const auto theirs = sealed(rivals());
  const auto forged = sealed(rivals(), 'f');
  for (const auto& [reply, code, has_current] : replaced_cases(theirs, forged)) {
    auto given = stored;
    WriteOutcome result;
    RotateOperation rotate(write_context(), given, "new", now, result);
    (void)rotate.begin();
    EXPECT_EQ(tell(rotate, reply), std::nullopt);
    EXPECT_EQ(code_of(result), code);
    auto expected = stored;
    if (result) {
      expected.id = "new";
      expected.lock_version = 8;
    } else {
      EXPECT_EQ(result.error().current, has_current ? std::optional(rivals()) : std::nullopt);
    }
    EXPECT_EQ(given, expected);
  }
}

class ManagedWrite : public Write {
 protected:
  ManagedWrite() { options.policy = {.max_sessions = 2}; }
};

/// Under a policy of at most two sessions.
class ManagedCreate : public ManagedWrite {
 protected:
  UpsertOperation create{write_context(), stored, evicted, outcome};
};

TEST_F(ManagedCreate, AsksToCountUnlessThereAreFarTooMany) {
  EXPECT_EQ(create.begin()->kind, Request::Kind::write);
  const auto words = words_of(create.make_write(true));
  ASSERT_EQ(words.size(), 12U);
  EXPECT_EQ(words[4], "session");
  EXPECT_EQ(words[7], "1");
  EXPECT_EQ(words[8], std::to_string(stored.created_at.time_since_epoch().count()));
  EXPECT_EQ(words[9], "2");
  EXPECT_EQ(words[11], "500");
}

TEST_F(ManagedCreate, TakesEachReply) {
  const auto theirs = sealed(rivals());
  struct Case {
    redis::Reply reply;
    std::error_code code;
    Words evicted;
  };
  std::vector<Case> cases;
  cases.push_back({list(text("stored")), {}, {}});
  cases.push_back({list(text("stored"), text("a"), text("b")), {}, {"a", "b"}});
  cases.push_back({list(text("conflict"), text(theirs)), ErrorCode::conflict, {}});
  cases.push_back({list(text("revoked")), ErrorCode::revoked, {}});
  cases.push_back({list(text("expired")), ErrorCode::expired, {}});
  cases.push_back({list(text("full")), ErrorCode::too_many_sessions, {}});
  cases.push_back({list(text("something new")), ErrorCode::protocol, {}});
  cases.push_back({number(1), ErrorCode::protocol, {}});
  for (const auto& [reply, code, ids] : cases) {
    auto given = stored;
    WriteOutcome result;
    Words thrown_out;
    UpsertOperation operation(write_context(), given, thrown_out, result);
    (void)operation.begin();
    EXPECT_EQ(tell(operation, reply), std::nullopt);
    EXPECT_EQ(code_of(result), code);
    EXPECT_EQ(thrown_out, ids);
    EXPECT_EQ(given.lock_version, result ? 1U : 0U);
    if (code_of(result) == ErrorCode::conflict) {
      EXPECT_EQ(result.error().current, rivals());
    }
  }
}

TEST_F(ManagedCreate, InACrowdMakesRoomFirstAndThenCountsInAnyCase) {
  (void)create.begin();
  auto words = words_of(tell(create, list(text("crowded"))));
  ASSERT_EQ(words.size(), 6U);
  EXPECT_EQ(words[4], "0");
  words = words_of(
      tell(create, list(text("17"), list(), list(text("a"), number(1), text("b"), number(3), text("c"), number(2)))));
  ASSERT_EQ(words.size(), 10U);
  EXPECT_EQ(words[4], "17");
  EXPECT_EQ(Words(words.begin() + 6, words.end()), (Words{"a", "1", "c", "2"}));
  const auto request = tell(create, list(text("0"), list(text("a"), text("c")), list()));
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->kind, Request::Kind::write);
  EXPECT_EQ(words_of(create.make_write(false)).back(), "");
  EXPECT_EQ(tell(create, list(text("stored"), text("d"))), std::nullopt);
  EXPECT_TRUE(outcome.has_value());
  EXPECT_EQ(evicted, (Words{"a", "c", "d"}));
}

TEST_F(ManagedCreate, ThatFailsSaysWhatItHasEvicted) {
  (void)create.begin();
  (void)tell(create, list(text("crowded")));
  (void)tell(create, list(text("17"), list(text("a")), list()));
  create.fail(lost());
  EXPECT_EQ(code_of(outcome), ErrorCode::timeout);
  EXPECT_EQ(evicted, Words{"a"});
}

TEST_F(ManagedCreate, FailsIfTheWalkIsAnsweredWithAnythingElse) {
  (void)create.begin();
  (void)tell(create, list(text("crowded")));
  EXPECT_EQ(tell(create, list(text("crowded"))), std::nullopt);
  EXPECT_EQ(code_of(outcome), ErrorCode::protocol);
}

TEST_F(ManagedCreate, RefusesInACrowdIfThePolicyWantsNobodyEvicted) {
  options.policy.when_full = WhenFull::refuse;
  (void)create.begin();
  (void)tell(create, list(text("crowded")));
  EXPECT_EQ(tell(create, list(text("17"), list(), list(text("a"), number(1), text("b"), number(2)))), std::nullopt);
  EXPECT_EQ(code_of(outcome), ErrorCode::too_many_sessions);
  EXPECT_TRUE(evicted.empty());
}

// It had asked the server to count in any case; another round would not end.
TEST_F(ManagedCreate, DoesNotBelieveInASecondCrowd) {
  (void)create.begin();
  (void)tell(create, list(text("crowded")));
  (void)tell(create, list(text("0"), list(), list()));
  EXPECT_EQ(tell(create, list(text("crowded"))), std::nullopt);
  EXPECT_EQ(code_of(outcome), ErrorCode::protocol);
}

// It would evict them all.
TEST_F(ManagedCreate, DoesNotBelieveInACrowdWithoutAMaximum) {
  options.policy = {.revocation_mark_lifetime = std::chrono::minutes(5)};
  WriteOutcome result;
  UpsertOperation operation(write_context(), stored, evicted, result);
  (void)operation.begin();
  EXPECT_EQ(tell(operation, list(text("crowded"))), std::nullopt);
  EXPECT_EQ(code_of(result), ErrorCode::protocol);
}

}}  // namespace obol::testing

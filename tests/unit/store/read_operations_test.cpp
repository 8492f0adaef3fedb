// Operations that read: what they ask for, and what they make of each reply a server can give.
#include "store/read_operations.hpp"

#include "operation_test.hpp"

namespace obol::testing { namespace {

using Kind = redis::Reply::Kind;
using Words = std::vector<std::string>;

class Get : public OperationTest {
 protected:
  Result<std::optional<Session>> outcome{std::in_place};

  /// The outcome after that reply.
  Result<std::optional<Session>> got(const redis::Reply& reply) {
    Result<std::optional<Session>> result(std::in_place);
    const auto key = session.key();
    GetOperation get(context(), key, ReadFrom::primary, result);
    EXPECT_TRUE(get.begin().has_value());
    EXPECT_EQ(tell(get, reply), std::nullopt);
    return result;
  }
};

TEST_F(Get, AsksForItsFieldOfTheHash) {
  const auto key = session.key();
  for (const auto from : {ReadFrom::primary, ReadFrom::replica}) {
    GetOperation get(context(), key, from, outcome);
    const auto request = get.begin();
    EXPECT_EQ(words_of(request), (Words{"HGET", stored_key, "session"}));
    EXPECT_EQ(request->kind, Request::Kind::call);
    EXPECT_EQ(request->key, stored_key);
    EXPECT_EQ(request->may_ask_replica, from == ReadFrom::replica);
  }
}

TEST_F(Get, IsTheSessionOnlyIfItIsStoredVerifiesAndHasNotExpired) {
  const auto theirs = sealed(session);
  EXPECT_EQ(got(text(theirs)).value(), session);
  EXPECT_EQ(got(nil()).value(), std::nullopt);
  EXPECT_EQ(got(text(sealed(expired))).value(), std::nullopt);
  EXPECT_EQ(observer->lines(), Words());
}

TEST_F(Get, TellsTheObserverOfWhatDoesNotVerify) {
  const auto forged = sealed(session, 'f');
  auto moved = session;
  moved.id = "another";
  for (const auto& bytes : {forged, sealed(moved), std::string("not sealed"), std::string()}) {
    const auto before = observer->count("verification_failed");
    EXPECT_EQ(got(text(bytes)).value(), std::nullopt);
    EXPECT_EQ(observer->count("verification_failed"), before + 1);
  }
}

TEST_F(Get, FailsForASessionOfANewerFormat) {
  const auto newer = sealed_in_newer_format(session);
  EXPECT_EQ(got(text(newer)).error().code, ErrorCode::protocol);
  EXPECT_EQ(observer->count("verification_failed"), 1U);
}

TEST_F(Get, FailsForAReplyOfAnotherKind) {
  for (const auto kind : {Kind::integer, Kind::list, Kind::map, Kind::push, Kind::other}) {
    EXPECT_EQ(got({.kind = kind}).error().code, ErrorCode::protocol) << static_cast<int>(kind);
  }
}

TEST_F(Get, FailsWithTheErrorOfItsTransport) {
  const auto key = session.key();
  GetOperation get(context(), key, ReadFrom::primary, outcome);
  (void)get.begin();
  get.fail(lost());
  EXPECT_EQ(outcome.error().code, ErrorCode::timeout);
  EXPECT_EQ(outcome.error().message, lost().message);
}

/// Reads through a near cache; `meanwhile` runs while the server is asked.
class CachedGet : public Get {
 protected:
  template <class Meanwhile>
  void read(const redis::Reply& reply, Meanwhile meanwhile, ReadFrom from = ReadFrom::primary) {
    const auto key = session.key();
    GetOperation get(cached_context(), key, from, outcome);
    EXPECT_TRUE(get.begin().has_value());
    meanwhile();
    EXPECT_EQ(tell(get, reply), std::nullopt);
  }
  void read(const redis::Reply& reply, ReadFrom from = ReadFrom::primary) {
    read(reply, [] {}, from);
  }
};

TEST_F(CachedGet, FindsOnlyWhatIsLive) {
  const auto key = session.key();
  {
    GetOperation get(cached_context(), key, ReadFrom::primary, outcome);
    EXPECT_FALSE(get.find_near(now));
    EXPECT_EQ(outcome.value(), std::nullopt);
  }
  keep(session);
  GetOperation get(cached_context(), key, ReadFrom::primary, outcome);
  EXPECT_FALSE(get.find_near(session.refresh_expires_at));
  EXPECT_EQ(outcome.value(), std::nullopt);
  EXPECT_TRUE(get.find_near(now));
  EXPECT_EQ(outcome.value(), session);
}

TEST_F(CachedGet, IsKept) {
  read(text(sealed(session)));
  EXPECT_TRUE(is_kept(session));
}

TEST_F(CachedGet, IsNotKeptIfTheHashChangedMeanwhile) {
  read(text(sealed(session)), [this] { cache.invalidate(stored_key); });
  EXPECT_EQ(outcome.value(), session);
  EXPECT_FALSE(is_kept(session));
}

TEST_F(CachedGet, IsNotKeptIfAnotherServerAnswered) {
  const auto key = session.key();
  GetOperation get(cached_context(), key, ReadFrom::primary, outcome);
  (void)get.begin();
  const auto bytes = sealed(session);
  const auto reply = text(bytes);
  (void)get.take({.replies = {&reply, 1}, .answered_by = redis::ServerIdentity(2), .now = now, .keyring = keyring});
  EXPECT_EQ(outcome.value(), session);
  EXPECT_FALSE(is_kept(session));
}

TEST_F(CachedGet, DropsWhatIsKeptIfItFindsTheSessionGone) {
  for (const auto& bytes :
       {std::optional<std::string>(), std::optional(sealed(expired)), std::optional(sealed(session, 'f'))}) {
    keep(session);
    ASSERT_TRUE(is_kept(session));
    read(bytes ? text(*bytes) : nil());
    EXPECT_FALSE(is_kept(session));
  }
}

TEST_F(CachedGet, FromAReplicaNeitherKeepsNorDrops) {
  read(text(sealed(session)), ReadFrom::replica);
  EXPECT_FALSE(is_kept(session));
  keep(session);
  read(nil(), ReadFrom::replica);
  EXPECT_TRUE(is_kept(session));
}

class GetMany : public OperationTest {
 protected:
  Result<std::vector<std::optional<Session>>> outcome{std::in_place};

  std::vector<SessionKey> keys(std::size_t count) const {
    std::vector<SessionKey> made(count, session.key());
    for (std::size_t i = 0; i < count; ++i) made[i].id = std::to_string(i);
    return made;
  }
};

TEST_F(GetMany, AsksForAThousandKeysAtOnceAtMost) {
  const auto wanted = keys(2 * GetManyOperation::most_keys_at_once + 1);
  GetManyOperation get(context(), wanted, outcome);
  auto request = get.begin();
  std::size_t asked = 0;
  for (const auto size : {GetManyOperation::most_keys_at_once, GetManyOperation::most_keys_at_once, std::size_t{1}}) {
    ASSERT_TRUE(request.has_value());
    EXPECT_EQ(request->kind, Request::Kind::each);
    ASSERT_EQ(request->commands.size(), size);
    ASSERT_EQ(request->keys.size(), size);
    EXPECT_EQ(request->keys.back(), stored_key);
    asked += size;
    EXPECT_EQ(words_of(request->commands.back()), (Words{"HGET", stored_key, std::to_string(asked - 1)}));
    request = tell(get, std::vector<redis::Reply>(size));
  }
  EXPECT_EQ(request, std::nullopt);
  EXPECT_EQ(outcome.value(), std::vector<std::optional<Session>>(wanted.size()));
}

TEST_F(GetMany, OfNoKeysAsksForNothing) {
  GetManyOperation get(context(), {}, outcome);
  EXPECT_EQ(get.begin(), std::nullopt);
  EXPECT_TRUE(outcome.value().empty());
}

TEST_F(GetMany, GivesEachSessionInTheOrderOfTheKeysAndKeepsIt) {
  auto wanted = keys(3);
  wanted[1] = session.key();
  const auto bytes = sealed(session);
  const auto forged = sealed(session, 'f');
  {
    GetManyOperation get(cached_context(), wanted, outcome);
    (void)get.begin();
    std::vector<redis::Reply> replies(3);
    replies[1] = text(bytes);
    replies[2] = text(forged);
    EXPECT_EQ(tell(get, replies), std::nullopt);
  }
  EXPECT_EQ(outcome.value(), (std::vector<std::optional<Session>>{std::nullopt, session, std::nullopt}));
  EXPECT_EQ(observer->count("verification_failed"), 1U);
}

TEST_F(GetMany, KeepsWhatItReads) {
  const std::vector wanted{session.key()};
  GetManyOperation get(cached_context(), wanted, outcome);
  (void)get.begin();
  (void)tell(get, text(sealed(session)));
  EXPECT_TRUE(is_kept(session));
}

TEST_F(GetMany, FailsWithAnyOfItsReplies) {
  const auto newer = sealed_in_newer_format(session);
  for (const auto wrong : {0, 1}) {
    Result<std::vector<std::optional<Session>>> result(std::in_place);
    std::vector wanted{session.key(), session.key()};
    GetManyOperation get(context(), wanted, result);
    (void)get.begin();
    std::vector<redis::Reply> replies(2);
    replies[1] = wrong == 0 ? number(1) : text(newer);
    EXPECT_EQ(tell(get, replies), std::nullopt);
    EXPECT_EQ(result.error().code, ErrorCode::protocol);
  }
}

TEST_F(GetMany, FailsWithTheErrorOfItsTransport) {
  const auto wanted = keys(GetManyOperation::most_keys_at_once + 1);
  GetManyOperation get(context(), wanted, outcome);
  (void)get.begin();
  (void)tell(get, std::vector<redis::Reply>(GetManyOperation::most_keys_at_once));
  get.fail(lost());
  EXPECT_EQ(outcome.error().code, ErrorCode::timeout);
}

class GetAll : public OperationTest {
 protected:
  Result<std::vector<Session>> outcome{std::in_place};
};

TEST_F(GetAll, GivesTheSessionsThatAreLiveAndVerify) {
  auto other = session;
  other.id = "other";
  const auto first = sealed(session);
  const auto second = sealed(other);
  const auto past = sealed(expired);
  const auto forged = sealed(session, 'f');
  GetAllOperation get(context(), "user", "full", ReadFrom::primary, outcome);
  const auto request = get.begin();
  EXPECT_EQ(words_of(request), (Words{"HGETALL", stored_key}));
  EXPECT_FALSE(request->may_ask_replica);
  const auto reply = reply_of(Kind::map, text("session"), text(first), text("session"), text(past), text("session"),
                              text(forged), text("other"), text(second));
  EXPECT_EQ(tell(get, reply), std::nullopt);
  EXPECT_EQ(outcome.value(), (std::vector{session, other}));
  EXPECT_EQ(observer->count("verification_failed"), 1U);
}

TEST_F(GetAll, FailsForAnotherReplyAndANewerFormat) {
  const auto newer = sealed_in_newer_format(session);
  std::vector<redis::Reply> wrong;
  wrong.push_back(nil());
  wrong.push_back(text("one"));
  wrong.push_back(reply_of(Kind::map, text("session"), nil()));
  wrong.push_back(reply_of(Kind::map, text("session"), text(newer)));
  for (const auto& reply : wrong) {
    Result<std::vector<Session>> result(std::in_place);
    GetAllOperation get(context(), "user", "full", ReadFrom::primary, result);
    (void)get.begin();
    EXPECT_EQ(tell(get, reply), std::nullopt);
    EXPECT_EQ(result.error().code, ErrorCode::protocol);
  }
}

TEST_F(GetAll, DropsWhatIsKeptWhateverCameOfIt) {
  keep(session);
  {
    GetAllOperation get(cached_context(), "user", "full", ReadFrom::primary, outcome);
    (void)get.begin();
    keep(session);
    get.fail(lost());
  }
  EXPECT_EQ(outcome.error().code, ErrorCode::timeout);
  EXPECT_FALSE(is_kept(session));
}

TEST_F(GetAll, FromAReplicaDropsNothing) {
  keep(session);
  {
    GetAllOperation get(cached_context(), "user", "full", ReadFrom::replica, outcome);
    EXPECT_TRUE(get.begin()->may_ask_replica);
    (void)tell(get, reply_of(Kind::map));
  }
  EXPECT_TRUE(outcome.value().empty());
  EXPECT_TRUE(is_kept(session));
}

}}  // namespace obol::testing

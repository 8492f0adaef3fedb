// Operations that delete: what they ask for, and what they make of each reply a server can give.
#include "store/delete_operation.hpp"

#include "operation_test.hpp"

namespace obol::testing { namespace {

using Words = std::vector<std::string>;

class Delete : public OperationTest {
 protected:
  DeleteOperation one() { return DeleteOperation::one(cached_context(), session.key(), outcome); }
  DeleteOperation all() { return DeleteOperation::all(cached_context(), "user", "full", now, outcome); }
  DeleteOperation others() { return DeleteOperation::others(cached_context(), session.key(), now, outcome); }

  void keep_under(std::string_view key, const Session& given) {
    cache.keep(cache.begin_read(key), server, key, given);
    EXPECT_EQ(cache.find(key, given.id), given);
  }

  const std::vector<std::string> types{"full", "pending", "oauth2"};
  Result<Deleted> outcome;
  const std::string at = std::to_string(std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count());
};

TEST_F(Delete, AsksForOneCommandOfItsHash) {
  auto deletes_one = one();
  auto deletes_all = all();
  auto deletes_others = others();
  const auto request = deletes_one.begin();
  EXPECT_EQ(request->kind, Request::Kind::call);
  EXPECT_EQ(request->key, stored_key);
  EXPECT_FALSE(request->may_ask_replica);
  EXPECT_EQ(words_of(request), (Words{"HDEL", stored_key, "session"}));
  EXPECT_EQ(words_of(deletes_all.begin()), (Words{"UNLINK", stored_key}));
  const auto words = words_of(deletes_others.begin());
  ASSERT_EQ(words.size(), 6U);
  EXPECT_EQ(words[2], "1");
  EXPECT_EQ(words[4], "session");
}

TEST_F(Delete, LeavesAMarkIfThePolicySaysSo) {
  options.policy = {.revocation_mark_lifetime = std::chrono::minutes(5)};
  {
    auto deletes = all();
    const auto words = words_of(deletes.begin());
    EXPECT_EQ(Words(words.begin() + 2, words.end()), (Words{"2", stored_key, mark_key(stored_key), at, "300"}));
  }
  auto keeps_silent = others();
  EXPECT_EQ(words_of(keeps_silent.begin()).size(), 6U);
  options.policy.mark_on_delete_others = true;
  auto deletes = others();
  const auto words = words_of(deletes.begin());
  ASSERT_EQ(words.size(), 9U);
  EXPECT_EQ(words[4], mark_key(stored_key));
  EXPECT_EQ(Words(words.end() - 2, words.end()), (Words{at, "300"}));
}

TEST_F(Delete, ThatIsDurableAsksForABarrierAndAWaitInTheSameSend) {
  options.delete_durability = {.replicas = 2, .timeout = std::chrono::milliseconds(700)};
  auto deletes = one();
  const auto request = deletes.begin();
  EXPECT_EQ(request->kind, Request::Kind::together);
  EXPECT_EQ(request->key, stored_key);
  ASSERT_EQ(request->commands.size(), 3U);
  EXPECT_EQ(words_of(request->commands[0]), (Words{"HDEL", stored_key, "session"}));
  EXPECT_EQ(words_of(request->commands[1])[0], "FCALL");
  EXPECT_EQ(words_of(request->commands[2]), (Words{"WAIT", "2", "700"}));
  EXPECT_EQ(tell(deletes, numbers({0, 1, 1})), std::nullopt);
  EXPECT_EQ(outcome.value().confirmed_replicas, 1U);
}

TEST_F(Delete, OfSeveralTypesIsACommandForEachThatStandsAlone) {
  DeleteTypesOperation deletes(cached_context(), "user", types, now, outcome);
  const auto request = deletes.begin();
  EXPECT_EQ(request->kind, Request::Kind::each);
  EXPECT_FALSE(request->may_ask_replica);
  ASSERT_EQ(request->keys.size(), 3U);
  ASSERT_EQ(request->commands.size(), 3U);
  for (std::size_t i = 0; i < types.size(); ++i) {
    EXPECT_EQ(request->keys[i], "obol_{user}:" + types[i]);
    EXPECT_EQ(words_of(request->commands[i]), (Words{"UNLINK", request->keys[i]}));
  }
  EXPECT_EQ(tell(deletes, numbers({0, 1, 0})), std::nullopt);
  EXPECT_EQ(outcome.value().confirmed_replicas, 0U);
}

TEST_F(Delete, OfSeveralTypesLeavesAMarkOfOneTimeForEach) {
  options.policy = {.revocation_mark_lifetime = std::chrono::minutes(5)};
  DeleteTypesOperation deletes(cached_context(), "user", types, now, outcome);
  const auto request = deletes.begin();
  for (std::size_t i = 0; i < types.size(); ++i) {
    const auto words = words_of(request->commands[i]);
    EXPECT_EQ(Words(words.begin() + 2, words.end()),
              (Words{"2", request->keys[i], mark_key(request->keys[i]), at, "300"}));
  }
}

TEST_F(Delete, OfSeveralTypesThatIsDurableWaitsOnceForAll) {
  options.delete_durability = {.replicas = 2, .timeout = std::chrono::milliseconds(700)};
  DeleteTypesOperation deletes(cached_context(), "user", types, now, outcome);
  const auto request = deletes.begin();
  EXPECT_EQ(request->kind, Request::Kind::together);
  EXPECT_EQ(request->key, stored_key);
  ASSERT_EQ(request->commands.size(), 5U);
  EXPECT_EQ(words_of(request->commands[2]), (Words{"UNLINK", "obol_{user}:oauth2"}));
  EXPECT_EQ(words_of(request->commands[3])[0], "FCALL");
  EXPECT_EQ(words_of(request->commands[4]), (Words{"WAIT", "2", "700"}));
  EXPECT_EQ(tell(deletes, numbers({0, 1, 5, 1, 1})), std::nullopt);
  EXPECT_EQ(outcome.value().confirmed_replicas, 1U);
}

// Such a user's types are in different slots, perhaps on different primaries.
TEST_F(Delete, OfSeveralTypesWaitsForEachSlotWhereTheUserIdEndsTheHashTag) {
  options.delete_durability = {.replicas = 2, .timeout = std::chrono::milliseconds(700)};
  DeleteTypesOperation deletes(cached_context(), "}user", types, now, outcome);
  auto request = deletes.begin();
  for (const auto& type : types) {
    ASSERT_TRUE(request.has_value());
    EXPECT_EQ(request->kind, Request::Kind::together);
    EXPECT_EQ(request->key, "obol_{}user}:" + type);
    ASSERT_EQ(request->commands.size(), 3U);
    EXPECT_EQ(words_of(request->commands[0]), (Words{"UNLINK", std::string(request->key)}));
    EXPECT_EQ(words_of(request->commands[2]), (Words{"WAIT", "2", "700"}));
    request = tell(deletes, numbers({0, 1, type == "pending" ? 1 : 2}));
  }
  EXPECT_FALSE(request.has_value());
  EXPECT_EQ(outcome.value().confirmed_replicas, 1U);
  DeleteTypesOperation fails(cached_context(), "}user", types, now, outcome);
  (void)fails.begin();
  EXPECT_EQ(tell(fails, numbers({-1, 1, 1})), std::nullopt);
  EXPECT_EQ(outcome.error().code, ErrorCode::protocol);
}

TEST_F(Delete, OfSeveralTypesFailsForOneReplyOfAnotherKindAndWithTheErrorOfItsTransport) {
  for (std::size_t wrong = 0; wrong < types.size(); ++wrong) {
    auto replies = numbers({1, 1, 1});
    replies[wrong] = text("1");
    DeleteTypesOperation deletes(cached_context(), "user", types, now, outcome);
    (void)deletes.begin();
    EXPECT_EQ(tell(deletes, replies), std::nullopt);
    EXPECT_EQ(outcome.error().code, ErrorCode::protocol);
  }
  DeleteTypesOperation deletes(cached_context(), "user", types, now, outcome);
  (void)deletes.begin();
  deletes.fail(lost());
  EXPECT_EQ(outcome.error().code, ErrorCode::timeout);
}

TEST_F(Delete, OfSeveralTypesDropsWhatIsKeptOfEachWhateverCameOfIt) {
  for (const bool has_failed : {false, true}) {
    auto pending = session;
    pending.type = "pending";
    {
      DeleteTypesOperation deletes(cached_context(), "user", types, now, outcome);
      (void)deletes.begin();
      keep(session);
      keep_under("obol_{user}:pending", pending);
      if (has_failed) deletes.fail(lost());
    }
    EXPECT_FALSE(is_kept(session));
    EXPECT_EQ(cache.find("obol_{user}:pending", pending.id), std::nullopt);
  }
}

TEST_F(Delete, WorksWhetherOrNotItFoundAnything) {
  for (const auto count : {0, 1, 1000}) {
    auto deletes = one();
    (void)deletes.begin();
    EXPECT_EQ(tell(deletes, number(count)), std::nullopt);
    EXPECT_EQ(outcome.value().confirmed_replicas, 0U);
  }
}

TEST_F(Delete, FailsForAReplyOfAnotherKindAndWithTheErrorOfItsTransport) {
  for (const auto& reply : numbers({-1, -2})) {
    auto deletes = all();
    (void)deletes.begin();
    EXPECT_EQ(tell(deletes, reply), std::nullopt);
    EXPECT_EQ(outcome.error().code, ErrorCode::protocol);
  }
  auto deletes = all();
  (void)deletes.begin();
  deletes.fail(lost());
  EXPECT_EQ(outcome.error().code, ErrorCode::timeout);
}

TEST_F(Delete, DropsWhatIsKeptOnceItIsOverWhateverCameOfIt) {
  for (const bool has_failed : {false, true}) {
    {
      auto deletes = others();
      (void)deletes.begin();
      keep(session);
      if (has_failed) deletes.fail(lost());
    }
    EXPECT_FALSE(is_kept(session));
  }
}

}}  // namespace obol::testing

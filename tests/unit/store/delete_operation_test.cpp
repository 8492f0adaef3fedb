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

// Whatever a server answers, an operation comes to its end, asks only for what can be sent, and has an outcome then.
#include <functional>
#include <random>

#include "operation_test.hpp"
#include "store/delete_operation.hpp"
#include "store/read_operations.hpp"
#include "store/write_operations.hpp"

namespace obol::testing { namespace {

using Kind = redis::Reply::Kind;

class AnyOperation : public OperationTest {
 protected:
  using Random = std::minstd_rand;
  /// The reply to a command; none: the transport fails.
  using Server = std::function<std::optional<redis::Reply>()>;

  static constexpr std::size_t replies = 22;

  redis::Reply reply_number(std::size_t index) const {
    std::vector<redis::Reply> all;
    all.push_back(nil());
    for (const auto value : {-2, -1, 0, 1, 5}) all.push_back(number(value));
    for (const auto& bytes : {std::cref(genuine_), std::cref(forged_), std::cref(newer_)})
      all.push_back(text(bytes.get()));
    all.push_back(text("crowded"));
    all.push_back(list());
    for (const auto* word : {"stored", "revoked", "expired", "full", "crowded", "new word"})
      all.push_back(list(text(word)));
    all.push_back(list(text("conflict"), text(genuine_)));
    all.push_back(list(text("0"), list(), list()));
    all.push_back(list(text("17"), list(text("old")), list(text("a"), number(1), text("b"), number(2))));
    all.push_back(reply_of(Kind::map, text("session"), text(genuine_), text("other"), text(forged_)));
    all.push_back(reply_of(Kind::map, text("session")));
    EXPECT_EQ(all.size(), replies);
    return std::move(all.at(index));
  }

  /// Runs it to its end; how often it asked.
  template <class Operation>
  std::size_t run(Operation&& operation, const Server& server_of, bool is_past) {
    std::size_t asked = 0;
    for (auto request = operation.begin(); request; ++asked) {
      if (asked > 2 * ThinningOut::most_idle_steps) return asked;
      check(operation, *request);
      std::vector<redis::Reply> answers;
      const auto wanted = request->kind == Request::Kind::write ? 1 : request->commands.size();
      while (answers.size() < wanted) {
        auto reply = server_of();
        if (!reply) break;
        answers.push_back(std::move(*reply));
      }
      if (answers.size() == wanted) {
        request = tell(operation, answers, is_past);
      } else {
        operation.fail(lost());
        request.reset();
      }
    }
    return asked;
  }

  template <class Operation>
  void check(const Operation& operation, const Request& request) const {
    if (request.kind == Request::Kind::each) {
      EXPECT_EQ(request.keys.size(), request.commands.size());
    } else {
      EXPECT_EQ(request.key, stored_key);
    }
    for (const auto& command : request.commands) EXPECT_FALSE(words_of(command).empty());
    if (request.kind != Request::Kind::write) {
      EXPECT_FALSE(request.commands.empty());
      return;
    }
    if constexpr (WriteOperation<Operation>) {
      EXPECT_EQ(request.expiry, field_expiry(session));
      EXPECT_EQ(words_of(operation.make_write(false)).size(), words_of(operation.make_write(true)).size());
    } else {
      ADD_FAILURE() << "only writes ask to write";
    }
  }

  /// Runs the operation of that number, under a policy; how often it asked.
  std::size_t run_one(unsigned operation, const Server& server_of, bool is_past) {
    const auto key = session.key();
    switch (operation) {
      case 0: {
        Result<std::optional<Session>> found(std::in_place);
        return run(GetOperation(cached_context(), key, ReadFrom::primary, found), server_of, is_past);
      }
      case 1: {
        const std::vector keys(3, key);
        Result<std::vector<std::optional<Session>>> found(std::in_place);
        const auto asked = run(GetManyOperation(cached_context(), keys, found), server_of, is_past);
        EXPECT_TRUE(!found || found->size() == keys.size());
        return asked;
      }
      case 2: {
        Result<std::vector<Session>> found(std::in_place);
        return run(GetAllOperation(cached_context(), "user", "full", ReadFrom::primary, found), server_of, is_past);
      }
      case 3: {
        Result<Deleted> deleted;
        return run(DeleteOperation::one(cached_context(), key, deleted), server_of, is_past);
      }
      case 4: {
        Result<Deleted> deleted;
        return run(DeleteOperation::all(cached_context(), "user", "full", now, deleted), server_of, is_past);
      }
      case 5: {
        Result<Deleted> deleted;
        return run(DeleteOperation::others(cached_context(), key, now, deleted), server_of, is_past);
      }
      case 6: {
        const std::vector<std::string> types{"full", "pending"};
        Result<Deleted> deleted;
        return run(DeleteTypesOperation(cached_context(), "user", types, now, deleted), server_of, is_past);
      }
      case 7:
        return write(7, server_of, is_past);
      case 8:
        return write(0, server_of, is_past);
      default:
        return rotate(server_of, is_past);
    }
  }
  static constexpr unsigned operations = 10;

  std::size_t write(std::uint64_t lock_version, const Server& server_of, bool is_past) {
    auto given = session;
    given.lock_version = lock_version;
    auto expected = given;
    std::vector<std::string> evicted;
    WriteOutcome outcome;
    const auto asked =
        run(UpsertOperation({.store = cached_context(), .keyring = keyring, .randomness = {}}, given, evicted, outcome),
            server_of, is_past);
    if (outcome) ++expected.lock_version;
    EXPECT_EQ(given, expected);
    return asked;
  }

  std::size_t rotate(const Server& server_of, bool is_past) {
    auto given = session;
    auto expected = given;
    WriteOutcome outcome;
    const auto asked = run(
        RotateOperation({.store = cached_context(), .keyring = keyring, .randomness = {}}, given, "new", now, outcome),
        server_of, is_past);
    if (outcome) {
      ++expected.lock_version;
      expected.id = "new";
    }
    EXPECT_EQ(given, expected);
    return asked;
  }

  void set_policy(Random& random) {
    options.policy = {.max_sessions = random() % 4,
                      .when_full = random() % 4 == 0 ? WhenFull::refuse : WhenFull::evict,
                      .revocation_mark_lifetime = std::chrono::seconds(random() % 2),
                      .mark_on_delete_others = random() % 2 == 0,
                      .mark_on_rotate_id = random() % 2 == 0};
    options.delete_durability.replicas = random() % 2;
  }

 private:
  const std::string genuine_ = sealed(session);
  const std::string forged_ = sealed(session, 'f');
  const std::string newer_ = sealed_in_newer_format(session);
};

TEST_F(AnyOperation, EndsWhateverOrderOfRepliesItIsGiven) {
  for (unsigned seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed + 1);
    set_policy(random);
    const auto server_of = [&]() -> std::optional<redis::Reply> {
      if (random() % 20 == 0) return std::nullopt;
      return reply_number(random() % replies);
    };
    ASSERT_LE(run_one(seed % operations, server_of, random() % 4 == 0), 2 * ThinningOut::most_idle_steps);
    if (HasFailure()) return;
  }
}

TEST_F(AnyOperation, EndsIfTheServerGivesTheSameReplyForEver) {
  Random random(1);
  for (std::size_t reply = 0; reply < replies; ++reply) {
    for (unsigned operation = 0; operation < operations; ++operation) {
      SCOPED_TRACE(::testing::Message() << "reply " << reply << ", operation " << operation);
      set_policy(random);
      ASSERT_LE(run_one(operation, [&] { return std::optional(reply_number(reply)); }, false), 2U);
    }
  }
}

// A crowd whose sessions are all known already, and no last page.
TEST_F(AnyOperation, EndsIfAWalkThroughACrowdHasNoEnd) {
  options.policy = {.max_sessions = 10};
  bool is_first = true;
  const auto server_of = [&] {
    return std::optional(std::exchange(is_first, false)
                             ? list(text("crowded"))
                             : list(text("17"), list(), list(text("a"), number(1), text("b"), number(2))));
  };
  EXPECT_LE(write(0, server_of, false), ThinningOut::most_idle_steps + 3);
}

}}  // namespace obol::testing

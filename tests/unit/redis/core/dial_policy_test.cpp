// When a pool may open a connection, and how long it waits for a server that cannot be reached.
#include "redis/core/dial_policy.hpp"

#include <gtest/gtest.h>

#include <ostream>

namespace obol::redis { namespace {

using std::chrono::seconds;

class DialPolicyTest : public ::testing::Test {
 protected:
  bool fail(const Error& error, std::size_t others = 0) {
    policy.begin(others);
    return policy.fail(error, others, now);
  }

  const Error passing{ErrorCode::unavailable, "connection refused"};
  const Error lasting{ErrorCode::permission, "wrong password"};
  DialPolicy::TimePoint now{seconds(1000)};
  DialPolicy policy{seconds(5)};
};

TEST_F(DialPolicyTest, HasAnOutageFromTheFirstFailureToASuccess) {
  EXPECT_FALSE(policy.is_out());
  EXPECT_TRUE(policy.may_dial(now));
  fail(passing);
  EXPECT_TRUE(policy.is_out());
  EXPECT_EQ(policy.error().message, passing.message);
  policy.begin(0);
  policy.succeed();
  EXPECT_FALSE(policy.is_out());
  EXPECT_FALSE(policy.is_hopeless(0, now + seconds(60)));
}

TEST_F(DialPolicyTest, AllowsOneAttemptAtATime) {
  policy.begin(0);
  EXPECT_FALSE(policy.may_dial(now + seconds(60)));
  policy.succeed();
  EXPECT_TRUE(policy.may_dial(now));
}

TEST_F(DialPolicyTest, AllowsTheNextAttemptAfterAPauseOfHalfASecondAtMost) {
  for (int i = 0; i < 100; ++i) {
    fail(passing);
    EXPECT_GE(policy.next_attempt(), now);
    EXPECT_LE(policy.next_attempt(), now + std::chrono::milliseconds(500));
    EXPECT_TRUE(policy.may_dial(policy.next_attempt()));
    EXPECT_FALSE(policy.may_dial(policy.next_attempt() - std::chrono::nanoseconds(1)));
  }
}

TEST_F(DialPolicyTest, IsHopelessOnceAnOutageHasLastedForItsPatience) {
  fail(passing);
  now += seconds(4);
  fail(passing);
  EXPECT_FALSE(policy.is_hopeless(0, now));
  EXPECT_TRUE(policy.is_hopeless(0, now + seconds(1)));
}

TEST_F(DialPolicyTest, IsHopelessAtOnceIfTheReasonWillNotPass) {
  fail(lasting);
  EXPECT_TRUE(policy.is_hopeless(0, now));
  fail(passing);
  EXPECT_FALSE(policy.is_hopeless(0, now));
}

TEST_F(DialPolicyTest, IsNotHopelessAsLongAsThereIsAnotherConnection) {
  fail(lasting, 1);
  EXPECT_FALSE(policy.is_hopeless(1, now + seconds(60)));
}

TEST_F(DialPolicyTest, ForgetsARefusalWithTheLastConnectionButNotAnOutage) {
  fail(lasting, 1);
  policy.lose_last();
  EXPECT_FALSE(policy.is_out());
  fail(passing, 1);
  policy.lose_last();
  EXPECT_TRUE(policy.is_out());
}

struct Attempt {
  const char* what;
  Error error;
  std::size_t others_before;
  std::size_t others_after;
  bool goes_on;
  bool is_out;
};
void PrintTo(const Attempt& tested, std::ostream* out) { *out << tested.what; }

class DialPolicyAttemptTest : public DialPolicyTest, public ::testing::WithParamInterface<Attempt> {};

TEST_P(DialPolicyAttemptTest, SendsItsCallerOnOrAway) {
  const auto& [what, error, before, after, goes_on, is_out] = GetParam();
  policy.begin(before);
  EXPECT_EQ(policy.fail(error, after, now), goes_on);
  EXPECT_EQ(policy.is_out(), is_out);
  EXPECT_FALSE(policy.is_dialing());
}

INSTANTIATE_TEST_SUITE_P(
    , DialPolicyAttemptTest,
    ::testing::Values(
        Attempt{"refused connection", {ErrorCode::unavailable, "refused"}, 0, 0, true, true},
        Attempt{"refused connection beside others", {ErrorCode::unavailable, "refused"}, 2, 2, true, true},
        Attempt{"no answer", {ErrorCode::timeout, "late"}, 0, 0, true, true},
        Attempt{"wrong password", {ErrorCode::auth, "WRONGPASS"}, 0, 0, false, true},
        Attempt{"no permission", {ErrorCode::permission, "NOPERM"}, 0, 0, false, true},
        Attempt{"a certificate that is not trusted", {ErrorCode::tls, "untrusted"}, 0, 0, false, true},
        Attempt{"a server that is too old", {ErrorCode::unsupported_server, "7.2"}, 0, 0, false, true},
        Attempt{"a wrong password beside others that serve", {ErrorCode::auth, "WRONGPASS"}, 1, 1, true, true},
        Attempt{"a wrong password, and the others are lost", {ErrorCode::auth, "WRONGPASS"}, 1, 0, true, false},
        Attempt{"no memory", out_of_memory(), 0, 0, false, false},
        Attempt{"no memory beside others", out_of_memory(), 1, 1, false, false}));

}}  // namespace obol::redis

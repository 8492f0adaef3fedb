// Who gets a connection, who waits and who opens one, told from outside with a clock of the test's own.
#include "redis/pool/pool_state.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <vector>

#include "support/scripted_connection.hpp"
#include "unit/redis/pool/patient_waiter.hpp"

namespace obol::redis { namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = PoolState::Step::Kind;
using State = Waiter::State;

class PoolStateTest : public ::testing::Test {
 protected:
  // An idle connection is the state's own.
  ~PoolStateTest() override { state.forget_parent(); }

  std::unique_ptr<PooledConnection> connection() {
    return std::make_unique<PooledConnection>(testing::connection_of(std::make_shared<testing::Script>()), options,
                                              now);
  }

  PoolState::Step enter(Waiter& waiter) {
    state.enter(waiter);
    return state.next_step(waiter, now, wakes);
  }

  PoolState::Step step(Waiter& waiter) { return state.next_step(waiter, now, wakes); }

  /// The waiter has the only connection, which came back a moment ago.
  void lead(Waiter& waiter) {
    fill_with_idle(1);
    ASSERT_EQ(enter(waiter).kind, Kind::done);
    ASSERT_EQ(waiter.state(), State::holding);
  }

  void fail_to_dial(Waiter& waiter, ErrorCode code) {
    state.take_dialed(waiter, std::unexpected(Error{code, "no connection"}), now, wakes);
  }

  PoolState::Returned give_back(Waiter& waiter) { return state.give_back(std::move(waiter.pooled), now, wakes); }

  void fill_with_idle(std::size_t count) {
    std::vector<std::unique_ptr<PooledConnection>> opened;
    for (std::size_t i = 0; i < count; ++i) state.adopt(*opened.emplace_back(connection()));
    for (auto& pooled : opened) state.give_back(std::move(pooled), now, wakes);
    ASSERT_EQ(state.statistics().idle, count);
  }

  static ErrorCode error_of(const Waiter& waiter) {
    return static_cast<ErrorCode>(waiter.outcome.error().error.code.value());
  }

  const PoolOptions options{.size = 2, .max_overflow = 1, .max_waiting = 3, .busy_wait = std::chrono::microseconds(0)};
  PoolState::TimePoint now{seconds(1000)};
  ParkingLot parking_lot;
  Wakes wakes{parking_lot};
  PoolState state{options, seconds(5)};
  PatientWaiter a{"a"}, b{"b"}, c{"c"}, d{"d"};
  PatientWaiter lender{""};
};

TEST_F(PoolStateTest, LetsTheFirstCallerOpenAConnection) {
  ASSERT_EQ(enter(a).kind, Kind::dial);
  state.take_dialed(a, connection(), now, wakes);
  ASSERT_EQ(a.state(), State::holding);
  EXPECT_EQ(a.pooled->batch.flight.bytes(), "a");
  EXPECT_EQ(state.statistics().used, 1U);
}

TEST_F(PoolStateTest, GivesAnIdleConnectionBeforeANewOne) {
  fill_with_idle(1);
  EXPECT_EQ(enter(a).kind, Kind::done);
  EXPECT_EQ(a.state(), State::holding);
  EXPECT_EQ(state.statistics().idle, 0U);
}

TEST_F(PoolStateTest, LetsCallersWaitWhileAConnectionIsInUseAndShareItThen) {
  lead(a);
  EXPECT_EQ(enter(b).kind, Kind::sleep);
  EXPECT_EQ(enter(c).kind, Kind::sleep);
  EXPECT_EQ(state.statistics().waiting, 2U);
  const auto returned = give_back(a);
  ASSERT_NE(returned.loaded, nullptr);
  EXPECT_TRUE(returned.loaded->batch.flight.bytes().starts_with("bc"));
  EXPECT_EQ(b.state(), State::in_batch);
  EXPECT_EQ(c.state(), State::in_batch);
  EXPECT_EQ(state.statistics().waiting, 0U);
}

TEST_F(PoolStateTest, LetsTheNextCallerOpenAnotherIfThoseInUseStayAway) {
  lead(a);
  const auto first = enter(b);
  ASSERT_EQ(first.kind, Kind::sleep);
  now = first.until;
  EXPECT_EQ(step(b).kind, Kind::dial);
}

TEST_F(PoolStateTest, LetsOneCallerAtATimeOpenAConnection) {
  ASSERT_EQ(enter(a).kind, Kind::dial);
  EXPECT_EQ(enter(b).kind, Kind::sleep);
  now += seconds(1);
  EXPECT_EQ(step(b).kind, Kind::sleep);
}

TEST_F(PoolStateTest, OpensNoMoreThanItMay) {
  std::vector<std::unique_ptr<PooledConnection>> lent;
  for (std::size_t i = 0; i < 3; ++i) state.adopt(*lent.emplace_back(connection()));
  EXPECT_EQ(enter(a).kind, Kind::sleep);
  now += seconds(1);
  EXPECT_EQ(step(a).kind, Kind::sleep);
  EXPECT_EQ(state.statistics().used, 3U);
}

TEST_F(PoolStateTest, LendsTheConnectionThatComesBackToTheFirstThatWantsOneAlone) {
  lead(a);
  ASSERT_EQ(enter(lender).kind, Kind::sleep);
  EXPECT_EQ(give_back(a).loaded, nullptr);
  EXPECT_EQ(lender.state(), State::holding);
  EXPECT_EQ(lender.signal.word(), WakeSignal::granted);
  EXPECT_EQ(step(lender).kind, Kind::done);
}

TEST_F(PoolStateTest, RefusesACallerIfTooManyWait) {
  lead(a);
  PatientWaiter more{"more"};
  for (Waiter* const waiter : std::array<Waiter*, 3>{&b, &c, &d}) ASSERT_EQ(enter(*waiter).kind, Kind::sleep);
  EXPECT_EQ(enter(more).kind, Kind::done);
  EXPECT_EQ(error_of(more), ErrorCode::pool_timeout);
  EXPECT_NE(more.outcome.error().error.message.find("pool.max_waiting"), std::string::npos);
}

TEST_F(PoolStateTest, FailsACallerAtTheEndOfItsWait) {
  lead(a);
  Waiter hasty("hasty", Deadline::at(now + seconds(9)), Deadline::at(now + milliseconds(3)));
  const auto wait = enter(hasty);
  ASSERT_EQ(wait.kind, Kind::sleep);
  EXPECT_LE(wait.until, now + milliseconds(3));
  now += milliseconds(3);
  EXPECT_EQ(step(hasty).kind, Kind::done);
  EXPECT_EQ(error_of(hasty), ErrorCode::pool_timeout);
  EXPECT_EQ(state.statistics().waiting, 0U);
}

TEST_F(PoolStateTest, TakesACallOutOfItsBatchAtItsDeadline) {
  lead(a);
  Waiter hasty("hasty", Deadline::at(now + milliseconds(4)), Deadline::at(now + milliseconds(4)));
  enter(hasty);
  auto returned = give_back(a);
  ASSERT_NE(returned.loaded, nullptr);
  EXPECT_EQ(step(hasty).until, hasty.deadline.time());
  now += milliseconds(4);
  EXPECT_EQ(step(hasty).kind, Kind::done);
  EXPECT_EQ(error_of(hasty), ErrorCode::timeout);
  EXPECT_EQ(state.promote(returned.loaded, wakes), nullptr);
}

TEST_F(PoolStateTest, TellsALeaderThatItsCallWasNotSentAndLetsTheOthersOfItsBatchWaitAgain) {
  lead(a);
  enter(b);
  enter(c);
  auto returned = give_back(a);
  ASSERT_EQ(state.promote(returned.loaded, wakes), &b);
  auto pooled = std::move(b.pooled);
  state.give_up_unsent(b, now, wakes);
  EXPECT_EQ(error_of(b), ErrorCode::unavailable);
  EXPECT_FALSE(b.outcome.error().came_from_server);
  EXPECT_EQ(c.state(), State::queued);
  returned = state.give_back(std::move(pooled), now, wakes);
  ASSERT_NE(returned.loaded, nullptr);
  EXPECT_EQ(returned.loaded->batch.flight.bytes(), "c");
}

TEST_F(PoolStateTest, MakesTheFirstOfABatchItsLeader) {
  lead(a);
  enter(b);
  enter(c);
  auto returned = give_back(a);
  ASSERT_NE(returned.loaded, nullptr);
  EXPECT_EQ(state.promote(returned.loaded, wakes), &b);
  EXPECT_EQ(b.state(), State::holding);
  EXPECT_EQ(b.signal.word(), WakeSignal::granted);
  EXPECT_NE(b.pooled, nullptr);
}

TEST_F(PoolStateTest, OffersALeaderWhoseBatchWasSent) {
  lead(a);
  enter(b);
  auto returned = give_back(a);
  ASSERT_NE(returned.loaded, nullptr);
  returned.loaded->batch.deadline = Deadline::at(now + seconds(1));
  EXPECT_EQ(state.promote(returned.loaded, wakes), &b);
  EXPECT_EQ(b.state(), State::offered);
}

TEST_F(PoolStateTest, PutsTheCallsOfABrokenConnectionInFrontOfThoseThatWait) {
  lead(a);
  enter(b);
  enter(c);
  auto returned = give_back(a);
  ASSERT_NE(returned.loaded, nullptr);
  enter(d);
  state.put_back(returned.loaded->batch, nullptr, now, wakes);
  state.remove(std::move(returned.loaded), now, wakes);
  EXPECT_EQ(step(b).kind, Kind::dial);
  state.take_dialed(b, connection(), now, wakes);
  EXPECT_TRUE(b.pooled->batch.flight.bytes().starts_with("bcd"));
}

TEST_F(PoolStateTest, TellsACallWhoseBatchWasGivenUpThatItMayHaveBeenSent) {
  for (const bool was_sent : {false, true}) {
    lead(a);
    Waiter hasty("hasty", Deadline::at(now + seconds(9)), Deadline::at(now + seconds(9)));
    enter(hasty);
    auto returned = give_back(a);
    ASSERT_NE(returned.loaded, nullptr);
    if (was_sent) returned.loaded->batch.deadline = Deadline::at(now + seconds(1));
    state.put_back(returned.loaded->batch, nullptr, now, wakes);
    state.remove(std::move(returned.loaded), now, wakes);
    now += seconds(9);
    ASSERT_EQ(step(hasty).kind, Kind::dial);
    fail_to_dial(hasty, ErrorCode::unavailable);
    ASSERT_EQ(hasty.state(), State::finished);
    EXPECT_FALSE(hasty.outcome.error().came_from_server);
    EXPECT_EQ(hasty.outcome.error().may_have_acted, was_sent);
  }
}

struct DialCase {
  const char* what;
  ErrorCode code;
  bool has_another;
  State after;
};
void PrintTo(const DialCase& tested, std::ostream* out) { *out << tested.what; }

class PoolStateDialTest : public PoolStateTest, public ::testing::WithParamInterface<DialCase> {};

TEST_P(PoolStateDialTest, GoesOnOrGivesUp) {
  auto other = connection();
  if (GetParam().has_another) {
    state.adopt(*other);
    other->is_leased = true;
  }
  ASSERT_EQ(enter(a).kind, Kind::dial);
  fail_to_dial(a, GetParam().code);
  EXPECT_EQ(a.state(), GetParam().after);
  if (a.state() == State::finished) {
    EXPECT_EQ(error_of(a), GetParam().code);
  }
}

INSTANTIATE_TEST_SUITE_P(, PoolStateDialTest,
                         ::testing::Values(DialCase{"the server is away", ErrorCode::unavailable, false, State::queued},
                                           DialCase{"refused", ErrorCode::permission, false, State::finished},
                                           DialCase{"refused beside one that works", ErrorCode::permission, true,
                                                    State::queued}));

TEST_F(PoolStateTest, TriesAgainAfterAPauseAsLongAsThereIsHope) {
  ASSERT_EQ(enter(a).kind, Kind::dial);
  fail_to_dial(a, ErrorCode::unavailable);
  const auto pause = step(a);
  if (pause.kind == Kind::sleep) {
    now = pause.until;
    EXPECT_EQ(step(a).kind, Kind::dial);
  }
  now += seconds(5);
  enter(b);
  fail_to_dial(a, ErrorCode::unavailable);
  EXPECT_EQ(step(b).kind, Kind::done);
  EXPECT_EQ(error_of(b), ErrorCode::unavailable);
  EXPECT_EQ(b.outcome.error().error.message, "no connection");
}

TEST_F(PoolStateTest, TellsAnAttemptsErrorAndNotThatOfTheDeadlineThatCutItShort) {
  Waiter hasty("hasty", Deadline::at(now + milliseconds(1)), Deadline::at(now + milliseconds(1)));
  ASSERT_EQ(enter(hasty).kind, Kind::dial);
  fail_to_dial(hasty, ErrorCode::unavailable);
  hasty.waiting_ends = Deadline::at(now + seconds(1));
  now += milliseconds(500);
  ASSERT_EQ(step(hasty).kind, Kind::dial);
  now = hasty.deadline.time() + milliseconds(1);
  fail_to_dial(hasty, ErrorCode::timeout);
  EXPECT_EQ(error_of(hasty), ErrorCode::unavailable);
}

TEST_F(PoolStateTest, TellsNoTimeoutOfAConnectionThatWasNotMadeSinceNothingWasSent) {
  Waiter hasty("hasty", Deadline::at(now + milliseconds(1)), Deadline::at(now + milliseconds(1)));
  ASSERT_EQ(enter(hasty).kind, Kind::dial);
  now += milliseconds(1);
  fail_to_dial(hasty, ErrorCode::timeout);
  EXPECT_EQ(error_of(hasty), ErrorCode::unavailable);
  EXPECT_FALSE(hasty.outcome.error().came_from_server);
}

TEST_F(PoolStateTest, ClosesTheIdleConnectionsWithOneInDoubtAndThoseInUseAsTheyComeBack) {
  fill_with_idle(2);
  ASSERT_EQ(enter(a).kind, Kind::done);
  auto doubtful = connection();
  state.adopt(*doubtful);
  auto idle = state.suspect(*doubtful);
  EXPECT_EQ(idle.size(), 1U);
  while (PooledConnection* const pooled = idle.pop_front()) {
    state.remove(std::unique_ptr<PooledConnection>(pooled), now, wakes);
  }
  const auto returned = give_back(a);
  EXPECT_NE(returned.surplus, nullptr);
  EXPECT_EQ(returned.reason, "another connection to this server was lost");
}

TEST_F(PoolStateTest, DoubtsNoConnectionThatIsNewerThanTheOneInDoubt) {
  auto old = connection();
  state.adopt(*old);
  EXPECT_TRUE(state.suspect(*old).empty());
  fill_with_idle(1);
  EXPECT_TRUE(state.suspect(*old).empty());
  EXPECT_EQ(state.statistics().idle, 1U);
}

TEST_F(PoolStateTest, ClosesOverflowThatIsNotUsedForASecond) {
  fill_with_idle(3);
  now += milliseconds(999);
  ASSERT_EQ(enter(a).kind, Kind::done);
  EXPECT_EQ(give_back(a).surplus, nullptr);
  now += milliseconds(1);
  ASSERT_EQ(enter(b).kind, Kind::done);
  const auto returned = give_back(b);
  EXPECT_NE(returned.surplus, nullptr);
  EXPECT_EQ(returned.reason, "no longer needed");
}

TEST_F(PoolStateTest, ClosesAConnectionAtTheEndOfItsLifetime) {
  lead(a);
  now = a.pooled->retire_at;
  EXPECT_EQ(give_back(a).reason, "its lifetime has ended");
}

TEST_F(PoolStateTest, FailsThoseThatWaitOnceItIsClosed) {
  lead(a);
  enter(b);
  EXPECT_TRUE(state.close(wakes).empty());
  EXPECT_EQ(b.signal.word(), WakeSignal::look);
  EXPECT_EQ(step(b).kind, Kind::done);
  EXPECT_EQ(error_of(b), ErrorCode::closed);
  EXPECT_EQ(enter(c).kind, Kind::done);
  EXPECT_EQ(error_of(c), ErrorCode::closed);
  EXPECT_EQ(give_back(a).reason, "the pool was closed");
}

TEST_F(PoolStateTest, BeginsAnewInAForkedChild) {
  fill_with_idle(1);
  ASSERT_EQ(enter(a).kind, Kind::done);
  enter(b);
  state.forget_parent();
  const auto statistics = state.statistics();
  EXPECT_EQ(statistics.idle + statistics.used + statistics.waiting, 0U);
  EXPECT_EQ(enter(c).kind, Kind::dial);
}

}}  // namespace obol::redis

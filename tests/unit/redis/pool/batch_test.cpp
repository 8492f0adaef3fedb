// What a batch takes from the queue, and what its callers are told.
#include "redis/pool/batch.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "support/scripted_connection.hpp"
#include "unit/redis/pool/patient_waiter.hpp"
#include "values/out_of_memory.hpp"

namespace obol::redis { namespace {

using State = Waiter::State;

class BatchTest : public ::testing::Test {
 protected:
  void enqueue(Waiter& waiter) {
    waiter.become(State::queued);
    queue.push_back(waiter);
  }

  std::vector<Waiter*> filled(Waiter& first, std::size_t most_calls = 100) {
    EXPECT_TRUE(batch.fill(queue, first, limit, most_calls));
    return batch.waiters;
  }

  /// The batch as it is once it was sent by `leader`.
  void fly(std::initializer_list<Waiter*> waiters, Waiter* leader) {
    for (Waiter* const waiter : waiters) enqueue(*waiter);
    filled(**waiters.begin());
    for (Waiter* const waiter : waiters) waiter->become(State::in_batch);
    if (leader != nullptr) leader->become(State::holding);
  }

  /// What the server answers to the batch.
  Result<bool> receive(std::string_view replies) {
    script->pieces = {std::string(replies)};
    EXPECT_TRUE(connection.receive(Deadline::after(std::chrono::hours(1))).has_value());
    return batch.collect(connection);
  }
  std::string marker_reply() const {
    const auto text = std::string(batch.flight.bytes());
    return text.substr(text.find('$', text.find("ECHO")));
  }

  static bool is_told(const Waiter& waiter) { return waiter.signal.word() == WakeSignal::answered; }
  static ErrorCode error_of(const Waiter& waiter) {
    return static_cast<ErrorCode>(waiter.outcome.error().error.code.value());
  }

  IntrusiveQueue<Waiter> queue;
  BatchLimit limit;
  Batch batch;
  PatientWaiter a{"a"}, b{"b"}, c{"c"};
  PatientWaiter lender{""};
  PatientWaiter alone{"alone", Sharing::alone};
  std::shared_ptr<testing::Script> script = std::make_shared<testing::Script>();
  Connection connection = testing::connection_of(script);
  RetryBudget budget;
  ParkingLot parking_lot;
  Wakes wakes{parking_lot};
};

TEST_F(BatchTest, OfOneCallIsItsCommandAlone) {
  enqueue(a);
  EXPECT_EQ(filled(a), std::vector<Waiter*>{&a});
  EXPECT_EQ(batch.flight.bytes(), "a");
}

TEST_F(BatchTest, OfSeveralCallsEndsWithAMarker) {
  for (Waiter* const waiter : std::array<Waiter*, 3>{&a, &b, &c}) enqueue(*waiter);
  EXPECT_EQ(filled(a), (std::vector<Waiter*>{&a, &b, &c}));
  EXPECT_TRUE(batch.flight.bytes().starts_with("abc*2\r\n$4\r\nECHO\r\n")) << batch.flight.bytes();
  EXPECT_EQ(queue.size(), 3U);
}

TEST_F(BatchTest, TakesTheCallsBehindOneThatIsInNoQueue) {
  enqueue(b);
  EXPECT_EQ(filled(a), (std::vector<Waiter*>{&a, &b}));
}

TEST_F(BatchTest, EndsBeforeACallThatSharesNothing) {
  for (Waiter* const other : std::array<Waiter*, 2>{&lender, &alone}) {
    for (Waiter* const waiter : std::array<Waiter*, 3>{&a, other, &b}) queue.push_back(*waiter);
    EXPECT_EQ(filled(a), std::vector<Waiter*>{&a});
    while (queue.pop_front() != nullptr) {
    }
    batch.clear();
  }
}

TEST_F(BatchTest, OfACallThatSharesNothingHasNoOther) {
  enqueue(alone);
  enqueue(a);
  EXPECT_EQ(filled(alone), std::vector<Waiter*>{&alone});
}

TEST_F(BatchTest, KeepsToTheCallsThatAreAllowed) {
  for (Waiter* const waiter : std::array<Waiter*, 3>{&a, &b, &c}) enqueue(*waiter);
  EXPECT_EQ(filled(a, 2), (std::vector<Waiter*>{&a, &b}));
  batch.clear();
  limit.note(1, BatchLimit::most_reply_bytes);
  EXPECT_EQ(filled(a), std::vector<Waiter*>{&a});
}

TEST_F(BatchTest, IsCompleteOnceAllRepliesAndTheMarkerAreThere) {
  fly({&a, &b}, &a);
  EXPECT_FALSE(receive("+1\r\n").value());
  EXPECT_FALSE(receive("+2\r\n").value());
  EXPECT_TRUE(receive(marker_reply()).value());
  batch.hand_out({}, &a, budget, wakes);
  EXPECT_EQ(a.outcome.value().text, "1");
  EXPECT_EQ(b.outcome.value().text, "2");
  EXPECT_EQ(a.state(), State::finished);
  EXPECT_FALSE(is_told(a));
  EXPECT_TRUE(is_told(b));
}

TEST_F(BatchTest, IsNotBelievedIfAReplyIsMissing) {
  fly({&a, &b}, &a);
  const auto all = receive("+1\r\n" + marker_reply() + "+3\r\n");
  ASSERT_FALSE(all.has_value());
  EXPECT_EQ(all.error().code, ErrorCode::unavailable);
}

TEST_F(BatchTest, FailsACallThatTheServerCouldNotServeAndNamesTheReason) {
  fly({&a, &b}, &a);
  ASSERT_TRUE(receive("-READONLY You can't write against a read only replica.\r\n+2\r\n" + marker_reply()).value());
  batch.hand_out({}, &a, budget, wakes);
  EXPECT_EQ(error_of(a), ErrorCode::unavailable);
  EXPECT_TRUE(a.outcome.error().may_repeat);
  EXPECT_EQ(b.outcome.value().text, "2");
  EXPECT_TRUE(batch.failure.has_value());
}

TEST_F(BatchTest, DropsTheReplyOfACallThatLeft) {
  fly({&a, &b}, &a);
  batch.leave(b);
  EXPECT_EQ(batch.first_waiter(), &a);
  ASSERT_TRUE(receive("+1\r\n+2\r\n" + marker_reply()).value());
  batch.hand_out({}, &a, budget, wakes);
  EXPECT_FALSE(is_told(b));
  batch.leave(a);
  EXPECT_EQ(batch.first_waiter(), nullptr);
}

TEST_F(BatchTest, BlamesTheCallWhoseReplyWasBeingRead) {
  fly({&a, &b, &c}, &a);
  ASSERT_FALSE(receive("+1\r\n").value());
  batch.blame({ErrorCode::too_large, "too large"}, &a, wakes);
  EXPECT_EQ(error_of(b), ErrorCode::too_large);
  EXPECT_TRUE(is_told(b));
  EXPECT_EQ(batch.waiters, (std::vector<Waiter*>{&a, nullptr, &c}));
}

TEST_F(BatchTest, SendsACallAloneIfMemoryWasShortForSeveral) {
  fly({&a, &b}, &a);
  batch.blame(out_of_memory(), &a, wakes);
  EXPECT_EQ(a.sharing, Sharing::alone);
  EXPECT_EQ(a.state(), State::holding);
  EXPECT_EQ(batch.first_waiter(), &a);
}

TEST_F(BatchTest, FailsACallThatMemoryIsShortForAloneInItsOwnThread) {
  fly({&a}, &a);
  batch.blame(out_of_memory(), &a, wakes);
  EXPECT_EQ(a.state(), State::finished);
  EXPECT_TRUE(is_out_of_memory(a.outcome.error().error));
}

TEST_F(BatchTest, FailsAllItsCallsTogether) {
  fly({&a, &b}, &a);
  batch.fail({ErrorCode::unavailable, "connection reset"}, &a, budget, wakes);
  for (const Waiter* const waiter : std::array<const Waiter*, 2>{&a, &b}) {
    EXPECT_EQ(error_of(*waiter), ErrorCode::unavailable);
    EXPECT_TRUE(waiter->outcome.error().came_from_server);
    EXPECT_TRUE(waiter->outcome.error().may_repeat);
  }
}

}}  // namespace obol::redis

// The states of a waiter, and how waiters are woken.
#include "redis/pool/waiter.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace obol::redis { namespace {

using State = Waiter::State;

TEST(WaiterTest, GoesFromAStateToThoseOfTheTableOnly) {
  using enum State;
  const std::map<State, std::set<State>> table{
      {started, {queued, finished}},
      {queued, {dialing, in_batch, holding, finished}},
      {dialing, {queued, in_batch, holding, finished}},
      {in_batch, {queued, holding, offered, finished}},
      {holding, {queued, finished}},
      {offered, {holding, finished}},
      {finished, {}},
  };
  for (const auto& [from, successors] : table) {
    for (const auto& [to, unused] : table) {
      EXPECT_EQ(Waiter::may_become(from, to), successors.contains(to))
          << std::to_underlying(from) << " to " << std::to_underlying(to);
    }
  }
}

TEST(WaiterTest, IsFinishedOnceItFailed) {
  Waiter waiter("", Deadline::at({}), Deadline::at({}));
  waiter.become(State::queued);
  waiter.fail({.error = {ErrorCode::closed, "closed"}});
  EXPECT_EQ(waiter.state(), State::finished);
  ASSERT_FALSE(waiter.outcome.has_value());
  EXPECT_EQ(waiter.outcome.error().error.code, ErrorCode::closed);
}

}}  // namespace obol::redis

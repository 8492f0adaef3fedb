// Which caller refreshes, and which ones go on with what is known.
#include "redis/core/refresh_gate.hpp"

#include <gtest/gtest.h>

namespace obol::redis { namespace {

using std::chrono::milliseconds;

struct Event {
  int at;  ///< Milliseconds since the beginning.
  enum class Kind { comes, is_let_in, leaves } kind;
};

struct Case {
  const char* name;
  std::vector<Event> events;
};

constexpr auto comes = Event::Kind::comes;  // And goes on with what is known.
constexpr auto is_let_in = Event::Kind::is_let_in;
constexpr auto leaves = Event::Kind::leaves;

class RefreshGateTest : public ::testing::TestWithParam<Case> {};

TEST_P(RefreshGateTest, LetsOneInAtATimeAndNotTooOften) {
  const RefreshGate::Time::time_point begin{std::chrono::hours(1)};
  RefreshGate gate(milliseconds(100));
  for (const auto& [at, kind] : GetParam().events) {
    if (kind == leaves) {
      gate.leave();
    } else {
      const auto now = begin + milliseconds(at);
      EXPECT_EQ(gate.is_open(now), kind == is_let_in) << "at " << at;
      EXPECT_EQ(gate.is_open(now), kind == is_let_in) << "to look does not enter, at " << at;
      EXPECT_EQ(gate.enter(now), kind == is_let_in) << "at " << at;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Cases, RefreshGateTest,
    ::testing::Values(
        Case{"FirstComesIn", {{0, is_let_in}}},
        Case{"OthersGoOnWhileOneRefreshes", {{0, is_let_in}, {0, comes}, {1, comes}, {500, comes}}},
        Case{"ThePauseIsCountedFromTheLastEntry",
             {{0, is_let_in}, {10, leaves}, {11, comes}, {99, comes}, {100, is_let_in}, {150, leaves}, {199, comes}}},
        Case{"ALongRefreshLeavesNoPauseBehindIt", {{0, is_let_in}, {700, leaves}, {700, is_let_in}}},
        Case{"AfterAFailureThePauseIsTheSame", {{0, is_let_in}, {1, leaves}, {2, comes}, {100, is_let_in}}},
        // The parent's caller does not come to the child; see ForkRegistration.
        Case{"AForkedChildLeavesForTheParentsCaller", {{0, is_let_in}, {50, leaves}, {100, is_let_in}}}),
    [](const auto& parameter) { return parameter.param.name; });

}}  // namespace obol::redis

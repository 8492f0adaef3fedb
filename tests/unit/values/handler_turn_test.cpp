// How many handlers run before what they have begun is sent.
#include "obol/handler_turn.hpp"

#include <gtest/gtest.h>

namespace obol { namespace {

TEST(HandlerTurn, IsAQuarterOfTheCallsWithinBounds) {
  struct Row {
    std::size_t calls_under_way;
    std::size_t handlers;
  };
  for (const auto& row : {Row{0, 4}, Row{1, 4}, Row{19, 4}, Row{20, 5}, Row{64, 16}, Row{256, 64}, Row{259, 64},
                          Row{260, 64}, Row{1'000'000, 64}}) {
    EXPECT_EQ(handlers_in_turn(row.calls_under_way), row.handlers) << row.calls_under_way;
  }
}

}}  // namespace obol

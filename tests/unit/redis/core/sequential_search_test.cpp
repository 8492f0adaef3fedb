// Who is asked next, with what share of the time, and which error is reported.
#include "redis/core/sequential_search.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace obol::redis { namespace {

using Reports = SequentialSearch::Reports;

TEST(SequentialSearchTest, AsksEachOnceWithAnEqualShareOfWhatIsLeft) {
  for (std::size_t behind = 0; behind < 2; ++behind) {
    SequentialSearch search(3, Reports::lasting, behind);
    for (std::size_t i = 0; i < 3; ++i) {
      const auto turn = search.next();
      ASSERT_TRUE(turn.has_value());
      EXPECT_EQ(turn->candidate, i);
      EXPECT_EQ(turn->parts, 3 - i + behind);
    }
    EXPECT_FALSE(search.next().has_value());
    EXPECT_FALSE(search.next().has_value());
  }
}

TEST(SequentialSearchTest, HasNobodyToAskWithoutCandidates) {
  EXPECT_FALSE(SequentialSearch(0, Reports::lasting).next().has_value());
}

struct Case {
  const char* name;
  Reports reports;
  std::vector<ErrorCode> errors;
  std::size_t reported;
};

class SearchThatFailed : public ::testing::TestWithParam<Case> {};

TEST_P(SearchThatFailed, ReportsTheFirstErrorOfTheKindThatCounts) {
  const auto& [name, reports, errors, reported] = GetParam();
  SequentialSearch search(errors.size(), reports);
  EXPECT_FALSE(search.has_failed());
  while (const auto turn = search.next()) {
    search.failed({errors[turn->candidate], "of " + std::to_string(turn->candidate)});
  }
  ASSERT_TRUE(search.has_failed());
  const auto error = search.error("nobody answered");
  EXPECT_EQ(error.code, errors[reported]);
  EXPECT_EQ(error.message, "nobody answered: of " + std::to_string(reported));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, SearchThatFailed,
    ::testing::Values(
        Case{"LastingOne", Reports::lasting, {ErrorCode::auth}, 0},
        Case{"TransientOneIfThereIsNoOther", Reports::lasting, {ErrorCode::timeout, ErrorCode::unavailable}, 0},
        Case{"LastingBehindTransient",
             Reports::lasting,
             {ErrorCode::unavailable, ErrorCode::timeout, ErrorCode::permission, ErrorCode::tls},
             2},
        Case{"LastingBeforeTransient", Reports::lasting, {ErrorCode::protocol, ErrorCode::unavailable}, 0},
        Case{"LastingOneIfThereIsNoOther", Reports::transient, {ErrorCode::auth, ErrorCode::tls}, 0},
        Case{"TransientBehindLasting",
             Reports::transient,
             {ErrorCode::auth, ErrorCode::permission, ErrorCode::timeout, ErrorCode::unavailable},
             2},
        Case{"TransientBeforeLasting", Reports::transient, {ErrorCode::unavailable, ErrorCode::auth}, 0}),
    [](const auto& parameter) { return parameter.param.name; });

}}  // namespace obol::redis

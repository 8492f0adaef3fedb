// The decision about a refresh token: a table, the published example, extreme times, and a walk beside a naive model.
#include "manager/freshness.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace obol::manager { namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;
using enum RefreshDecision;

constexpr sys_seconds at(std::int64_t time) { return sys_seconds(seconds(time)); }

/// A session whose previous generation began at 1000 and whose current one began at 2000; it ends at 9000.
Session session_of_two_generations() {
  return {.id = "S1",
          .user_id = "426",
          .refresh_expires_at = at(9000),
          .tokens_fresh_from = at(2000),
          .prev_tokens_fresh_from = at(1000)};
}

RefreshDecision decide(const Session& session, std::int64_t issued, std::int64_t now,
                       const FreshnessOptions& options = {}, std::int64_t expires = 8000) {
  const auto key = session.key();
  return decide_refresh(session, {.session = key, .issued_at = at(issued), .expires_at = at(expires)}, at(now),
                        options);
}

struct Row {
  std::string name;
  std::int64_t issued;
  std::int64_t now;
  RefreshDecision expected;
  FreshnessOptions options{};
};

const std::vector<Row>& rows() {
  static constexpr FreshnessOptions no_drift{.overlap = seconds(10), .drift = seconds(0)};
  static constexpr FreshnessOptions no_overlap{.overlap = seconds(0), .drift = seconds(0)};
  static const std::vector<Row> all{
      {"current_at_its_begin", 2000, 2000, join},
      {"current_within_the_overlap", 2000, 2009, join},
      {"current_at_the_end_of_the_overlap", 2000, 2010, join},
      {"current_after_the_overlap", 2000, 2011, rotate},
      {"current_long_after", 2000, 7999, rotate},
      {"joined_token_after_the_overlap", 2010, 2011, rotate},
      {"previous_at_the_end_of_the_overlap", 1000, 2010, join},
      {"previous_after_the_overlap", 1000, 2011, reuse},
      {"previous_last_token_after_the_overlap", 1994, 2011, reuse},
      {"drift_before_the_current_after_the_overlap", 1995, 2011, rotate},
      {"drift_before_the_previous_within_the_overlap", 995, 2010, join},
      {"more_than_drift_before_the_previous", 994, 2010, reuse},
      {"more_than_drift_before_the_previous_at_the_begin", 994, 2000, reuse},
      {"no_drift_previous_within_the_overlap", 1000, 2010, join, no_drift},
      {"no_drift_a_second_before_the_previous", 999, 2010, reuse, no_drift},
      {"no_drift_current_after_the_overlap", 2000, 2011, rotate, no_drift},
      {"no_drift_a_second_before_the_current", 1999, 2011, reuse, no_drift},
      {"no_overlap_in_the_same_second", 1000, 2000, join, no_overlap},
      {"no_overlap_current_a_second_later", 2000, 2001, rotate, no_overlap},
      {"no_overlap_previous_a_second_later", 1999, 2001, reuse, no_overlap},
      {"clock_set_back_before_the_current", 2000, 1500, join},
      {"clock_set_back_previous", 1000, 1500, join},
      {"clock_set_back_older_than_the_previous", 994, 1500, reuse},
      {"clock_set_back_before_both", 2000, 10, join},
      {"issued_in_the_future", 5000, 2011, rotate},
      {"issued_in_the_future_within_the_overlap", 5000, 2005, join},
  };
  return all;
}

class FreshnessTable : public ::testing::TestWithParam<Row> {};

TEST_P(FreshnessTable, Decides) {
  const auto& row = GetParam();
  EXPECT_EQ(decide(session_of_two_generations(), row.issued, row.now, row.options), row.expected);
}

INSTANTIATE_TEST_SUITE_P(Freshness, FreshnessTable, ::testing::ValuesIn(rows()),
                         [](const auto& row) { return row.param.name; });

TEST(Freshness, EndsWithTheTokenAndWithTheSession) {
  auto session = session_of_two_generations();
  EXPECT_EQ(decide(session, 2000, 7999), rotate);
  EXPECT_EQ(decide(session, 2000, 8000), expired);
  EXPECT_EQ(decide(session, 2000, 8999, {}, 20'000), rotate);
  EXPECT_EQ(decide(session, 2000, 9000, {}, 20'000), expired);
  session.expires_at = at(3000);
  EXPECT_EQ(decide(session, 2000, 2999), rotate);
  EXPECT_EQ(decide(session, 2000, 3000), expired);
}

TEST(Freshness, OfAnExpiredTokenIsNoReuse) {
  EXPECT_EQ(decide(session_of_two_generations(), 0, 8000), expired);
  EXPECT_EQ(decide(session_of_two_generations(), 0, 2005, {}, 2005), expired);
}

TEST(Freshness, IsNotAskedForTheTokenOfAnotherSession) {
  const auto session = session_of_two_generations();
  for (const SessionKey& key : {SessionKey{.user_id = "427", .id = "S1"}, SessionKey{.user_id = "426", .id = "S2"},
                                SessionKey{.user_id = "426", .type = "web", .id = "S1"}, SessionKey{}}) {
    for (const std::int64_t issued : {0, 1000, 2000, 5000}) {
      for (const std::int64_t expires : {0, 8000}) {
        EXPECT_EQ(
            decide_refresh(session, {.session = key, .issued_at = at(issued), .expires_at = at(expires)}, at(2011), {}),
            other_session);
      }
    }
  }
}

// Overlap 5: tokens at 0 (A), 10 (B), 12 (C), 20 (D), 30 (E). Fresh right after each: A; A B; A B C; B C D; D E.
TEST(Freshness, IsThatOfThePublishedExample) {
  static constexpr FreshnessOptions options{.overlap = seconds(5), .drift = seconds(0)};
  Session session{.id = "S1", .user_id = "426", .refresh_expires_at = at(9000)};
  const std::vector<std::int64_t> issued{0, 10, 12, 20, 30};
  const std::vector<std::string> fresh_after_each{"A", "AB", "ABC", "BCD", "DE"};
  for (std::size_t step = 0; step < issued.size(); ++step) {
    if (step > 0 && decide(session, issued[step - 1], issued[step], options) == rotate) {
      start_generation(session, at(issued[step]));
    }
    std::string fresh;
    for (std::size_t token = 0; token <= step; ++token) {
      if (decide(session, issued[token], issued[step], options) == join) {
        fresh += static_cast<char>('A' + token);
      }
    }
    EXPECT_EQ(fresh, fresh_after_each[step]);
  }
}

TEST(Freshness, IsDecidedForEveryTimeThatCanBeRepresented) {
  static constexpr auto least = std::numeric_limits<std::int64_t>::min();
  static constexpr auto most = std::numeric_limits<std::int64_t>::max();
  static constexpr std::array<std::int64_t, 7> times{least, least + 1, -1, 0, 1, most - 1, most};
  static constexpr std::array<seconds, 4> durations{seconds(0), seconds(1), seconds(most - 1), seconds(most)};
  for (const auto current : times) {
    for (const auto previous : times) {
      for (const auto issued : times) {
        for (const auto now : times) {
          for (const auto duration : durations) {
            const Session session{.refresh_expires_at = at(most),
                                  .tokens_fresh_from = at(current),
                                  .prev_tokens_fresh_from = at(previous)};
            const auto decision = decide(session, issued, now, {.overlap = duration, .drift = duration}, most);
            EXPECT_EQ(decision == expired, now == most);
          }
        }
      }
    }
  }
}

TEST(Freshness, SumsStayWithinTheTimesThatCanBeRepresented) {
  EXPECT_EQ(saturating_add(at(5), seconds(-7)), at(-2));
  EXPECT_EQ(saturating_add(sys_seconds::max(), seconds(1)), sys_seconds::max());
  EXPECT_EQ(saturating_add(sys_seconds::min(), seconds(-1)), sys_seconds::min());
  EXPECT_EQ(saturating_add(sys_seconds::min(), seconds::max()), at(-1));
}

/// Keeps each generation as the set of its tokens, and the time of issue of each token.
class NaiveModel {
 public:
  explicit NaiveModel(const FreshnessOptions& options) : options_(options) {}

  RefreshDecision judge(std::size_t token, std::int64_t now) const {
    const auto& current = generations_.back();
    const bool is_settled = now - current.began > options_.overlap.count();
    const bool has_previous = !is_settled && generations_.size() > 1;
    const auto& oldest = has_previous ? generations_[generations_.size() - 2] : current;
    const bool is_member = current.tokens.contains(token) || (has_previous && oldest.tokens.contains(token));
    const bool is_within_drift = issued_[token] + options_.drift.count() >= oldest.began;
    if (!is_member && !is_within_drift) return reuse;
    return is_settled ? rotate : join;
  }

  void begin(std::int64_t now) { generations_.push_back({.began = now, .tokens = {}}); }

  std::size_t issue(std::int64_t time) {
    issued_.push_back(time);
    generations_.back().tokens.insert(issued_.size() - 1);
    return issued_.size() - 1;
  }

  const std::vector<std::int64_t>& issued() const { return issued_; }

 private:
  struct Generation {
    std::int64_t began;
    std::set<std::size_t> tokens;
  };

  FreshnessOptions options_;
  std::vector<Generation> generations_;
  std::vector<std::int64_t> issued_;
};

enum class Clocks { forward, jumping };

std::int64_t step(std::mt19937& random, Clocks clocks) {
  const auto between = [&](int least, int most) { return std::uniform_int_distribution<int>(least, most)(random); };
  if (clocks == Clocks::jumping && between(0, 9) == 0) return between(-200, 200);
  return between(0, 9);
}

void walk(unsigned seed, Clocks clocks, const FreshnessOptions& options) {
  std::mt19937 random(seed);
  static constexpr std::int64_t end = 1'000'000'000;
  std::int64_t now = 100'000;
  Session session{.id = "S1",
                  .user_id = "426",
                  .refresh_expires_at = at(end),
                  .tokens_fresh_from = at(now),
                  .prev_tokens_fresh_from = at(now)};
  NaiveModel model(options);
  model.begin(now);
  model.issue(now);
  for (int i = 0; i < 400; ++i) {
    now += step(random, clocks);
    const auto last = model.issued().size() - 1;
    ASSERT_NE(decide(session, model.issued()[last], now, options, end), reuse) << "the last token, seed " << seed;
    // Mostly one of the last tokens.
    const auto token = last - std::min<std::size_t>(last, std::geometric_distribution<std::size_t>(0.3)(random));
    const auto decision = decide(session, model.issued()[token], now, options, end);
    ASSERT_EQ(decision, model.judge(token, now)) << "seed " << seed << ", step " << i;
    if (decision == reuse) continue;
    if (decision == rotate) {
      start_generation(session, at(now));
      model.begin(now);
    }
    model.issue(issue_time(session, at(now)).time_since_epoch().count());
  }
}

TEST(Freshness, IsThatOfAModelThatKeepsSetsOfTokens) {
  for (const auto clocks : {Clocks::forward, Clocks::jumping}) {
    for (const int overlap : {0, 1, 5, 10}) {
      for (const int drift : {0, 1, 5}) {
        for (unsigned seed = 0; seed < 40; ++seed) {
          walk(seed, clocks, {.overlap = seconds(overlap), .drift = seconds(drift)});
        }
      }
    }
  }
}

}}  // namespace obol::manager

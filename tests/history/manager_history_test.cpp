// The check of what session managers told: it accepts what is possible and names what is not.
#include "history/manager_history.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace obol::testing::history { namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

Issued issued(std::uint64_t version, int generation, int at) {
  return {.version = version, .generation = sys_seconds(seconds(generation)), .issued_at = sys_seconds(seconds(at))};
}

/// In these tests a second of the managers' clock is one of the monotonic clock.
ManagerCall call(ManagerOperation operation, ManagerOutcome outcome, int start, Issued presented = {},
                 Issued given = {}) {
  return {.operation = operation,
          .outcome = outcome,
          .session = 1,
          .start = start * 10,
          .end = start * 10 + 1,
          .clock_at_start = sys_seconds(seconds(start)),
          .presented = presented,
          .given = given};
}

std::vector<std::string> broken(const std::vector<ManagerCall>& calls, const std::vector<EndedByReuse>& ended = {}) {
  return check_managers(calls, ended, seconds(10), seconds(1));
}

constexpr auto log_in = ManagerOperation::log_in;
constexpr auto refresh = ManagerOperation::refresh;
constexpr auto authenticate = ManagerOperation::authenticate;
constexpr auto log_out = ManagerOperation::log_out;
constexpr auto done = ManagerOutcome::done;
constexpr auto nobody = ManagerOutcome::nobody;
constexpr auto unknown = ManagerOutcome::unknown;

const Issued first = issued(1, 100, 100);
const Issued second = issued(2, 120, 120);
const Issued third = issued(3, 140, 140);
const ManagerCall login = call(log_in, done, 100, {}, first);

TEST(ManagerHistory, ATokenOfThePreviousGenerationIsAcceptedWithinTheOverlap) {
  EXPECT_EQ(
      broken({login, call(refresh, done, 120, first, second), call(refresh, done, 130, first, issued(2, 120, 130))}),
      std::vector<std::string>());
}

TEST(ManagerHistory, NoTokenIsAcceptedThatWasReplaced) {
  const auto begun = call(refresh, done, 120, first, second);
  EXPECT_EQ(broken({login, begun, call(refresh, done, 131, first, third)}).size(), 1U) << "after the overlap";
  const auto again = call(refresh, done, 140, second, third);
  EXPECT_EQ(broken({login, begun, again, call(refresh, done, 141, first, issued(3, 140, 141))}).size(), 1U)
      << "of the last generation but one";
  auto beside = call(refresh, done, 131, first, issued(2, 120, 131));
  beside.start = begun.end - 1;
  EXPECT_EQ(broken({login, begun, beside}), std::vector<std::string>()) << "begun before the other had ended";
}

TEST(ManagerHistory, NobodyIsLoggedInAfterAnAcknowledgedEnd) {
  const auto out = call(log_out, done, 110);
  EXPECT_EQ(broken({login, out, call(authenticate, nobody, 111, first)}), std::vector<std::string>());
  EXPECT_EQ(broken({login, out, call(authenticate, done, 111, first)}).size(), 1U);
  EXPECT_EQ(broken({login, out, call(refresh, done, 111, first, second)}).size(), 1U);
  EXPECT_EQ(broken({login, call(log_out, unknown, 110), call(authenticate, done, 111, first)}),
            std::vector<std::string>());
  EXPECT_EQ(broken({login, call(authenticate, done, 111, first)}, {{.session = 1, .time = 1105}}).size(), 1U);
}

TEST(ManagerHistory, NobodyIsLoggedOutWithoutAReason) {
  EXPECT_EQ(broken({login, call(authenticate, nobody, 111, first)}).size(), 1U);
  EXPECT_EQ(broken({login, call(refresh, nobody, 111, first)}).size(), 1U);
  EXPECT_EQ(broken({login, call(log_out, unknown, 110), call(refresh, nobody, 111, first)}),
            std::vector<std::string>());
  EXPECT_EQ(broken({login, call(refresh, unknown, 110, first), call(refresh, nobody, 150, first)}),
            std::vector<std::string>())
      << "the answer was lost";
  EXPECT_EQ(broken({login, call(refresh, done, 120, first, second), call(refresh, nobody, 131, first),
                    call(authenticate, nobody, 132, second)}),
            std::vector<std::string>())
      << "a token was reused";
}

TEST(ManagerHistory, OneVersionHasOneGenerationAndNoneGoesBack) {
  EXPECT_EQ(
      broken({login, call(refresh, done, 120, first, second), call(refresh, done, 120, first, issued(2, 121, 121))})
          .size(),
      1U);
  EXPECT_EQ(
      broken({login, call(refresh, done, 120, first, second), call(refresh, done, 121, first, issued(3, 100, 121))})
          .size(),
      1U);
}

}}  // namespace obol::testing::history

// The history checker finds each kind of broken promise, and nothing wrong where all were kept.
#include "history/history.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "history/outage.hpp"

namespace obol::testing::history { namespace {

constexpr std::uint32_t user = 7;
constexpr std::uint32_t session = 1;

/// Makes calls one after the other, each from 10 n to 10 n + 5.
class Story {
 public:
  Story& create(std::uint64_t write, Outcome outcome = Outcome::done) {
    return add({.operation = Operation::create, .outcome = outcome, .session = session, .version = 1, .write = write});
  }
  Story& refresh(std::uint64_t version, std::uint64_t write, Outcome outcome = Outcome::done) {
    return add(
        {.operation = Operation::refresh, .outcome = outcome, .session = session, .version = version, .write = write});
  }
  Story& lose_to(std::uint64_t version, std::uint64_t write, std::uint64_t winner) {
    refresh(version, write, Outcome::conflict);
    calls.back().seen = {seen(version, winner)};
    return *this;
  }
  Story& read(std::uint64_t version, std::uint64_t write) { return get({seen(version, write)}); }
  Story& read_nothing() { return get({}); }
  Story& get(std::vector<Seen> found) {
    return add({.operation = Operation::get, .outcome = Outcome::done, .session = session, .seen = std::move(found)});
  }
  Story& list(std::vector<Seen> found) {
    return add({.operation = Operation::get_all, .outcome = Outcome::done, .seen = std::move(found)});
  }
  Story& log_out(Operation operation = Operation::delete_one, std::uint32_t named = session,
                 Outcome outcome = Outcome::done) {
    return add({.operation = operation, .outcome = outcome, .session = named});
  }
  /// The last call began together with the one before it.
  Story& at_the_same_time() {
    calls.back().start = calls.at(calls.size() - 2).start;
    return *this;
  }

  static Seen seen(std::uint64_t version, std::uint64_t write) { return {session, version, session, version, write}; }

  Story& confirmed() {
    calls.back().is_confirmed = true;
    return *this;
  }
  /// Whether all is possible where fail-overs took back what happened from the n-th call to the m-th.
  bool is_sound_with_losses(Time first, Time last) const {
    return check(calls, {{.from = first * 10, .to = last * 10 + 5}}).empty();
  }

  bool breaks(Rule rule) const {
    return std::ranges::any_of(check(calls), [&](const Violation& found) { return found.rule == rule; });
  }
  bool is_sound() const { return check(calls).empty(); }

  std::vector<Call> calls;

 private:
  Story& add(Call call) {
    call.user = user;
    call.start = static_cast<Time>(calls.size()) * 10;
    call.end = call.start + 5;
    calls.push_back(std::move(call));
    return *this;
  }
};

TEST(History, OfAWholeLifeIsSound) {
  EXPECT_TRUE(Story()
                  .create(11)
                  .read(1, 11)
                  .refresh(2, 12)
                  .lose_to(2, 13, 12)
                  .read(2, 12)
                  .list({Story::seen(2, 12)})
                  .log_out()
                  .read_nothing()
                  .list({})
                  .refresh(3, 14, Outcome::gone)
                  .is_sound());
}

TEST(History, OfWritesWithoutAKnownOutcomeIsSoundWhetherTheyHappenedOrNot) {
  const auto begun = Story().create(11).refresh(2, 12, Outcome::unknown);
  EXPECT_TRUE(Story(begun).read(1, 11).is_sound());
  EXPECT_TRUE(Story(begun).read(2, 12).is_sound());
  EXPECT_TRUE(Story().create(11, Outcome::unknown).read_nothing().is_sound());
  EXPECT_TRUE(Story().create(11, Outcome::unknown).read(1, 11).is_sound());
}

TEST(History, OfAWriteThatWonAndWasOvertakenBeforeItWasRepeatedIsSound) {
  EXPECT_TRUE(Story().create(11).lose_to(2, 12, 13).is_sound() == false) << "write 13 is nobody's";
  auto overtaken = Story().create(11).refresh(3, 13).refresh(2, 12, Outcome::conflict).at_the_same_time();
  overtaken.calls.back().seen = {Story::seen(3, 13)};
  EXPECT_TRUE(overtaken.is_sound());
}

TEST(History, OfALogoutWithoutAKnownOutcomeIsSoundEitherWay) {
  const auto begun = Story().create(11).log_out(Operation::delete_one, session, Outcome::unknown);
  EXPECT_TRUE(Story(begun).read(1, 11).is_sound());
  EXPECT_TRUE(Story(begun).read_nothing().is_sound());
}

// It may have been repeated, and the last repeat may still be on its way.
TEST(History, OfACreateThatWasGivenUpIsSoundAlsoIfItIsDoneAfterALogout) {
  const auto begun = Story().create(11, Outcome::given_up);
  EXPECT_TRUE(Story(begun).log_out().read(1, 11).is_sound());
  EXPECT_TRUE(Story(begun).read(1, 11).log_out().read(1, 11).is_sound());
  EXPECT_TRUE(Story(begun).refresh(2, 12).log_out().read(2, 12).breaks(Rule::back_after_logout));
  EXPECT_TRUE(Story().create(11, Outcome::unknown).log_out().read(1, 11).breaks(Rule::back_after_logout));
}

TEST(History, CanBeToldOfOneSession) {
  const auto story = Story().create(11).refresh(2, 12, Outcome::unknown).read(2, 12).log_out(Operation::delete_all, 0);
  EXPECT_EQ(story_of(session, Story(story).list({}).calls),
            "  0 to 5 ns: create of session 1, done, version 1\n"
            "  10 to 15 ns: refresh of session 1, unknown, version 2\n"
            "  20 to 25 ns: get of session 1, done, saw version 2\n"
            "  30 to 35 ns: delete_all of session 0, done\n");
  EXPECT_EQ(story_of(session + 1, story.calls), "");
}

TEST(History, OfAReadAtTheTimeOfALogoutIsSoundEitherWay) {
  const auto begun = Story().create(11).log_out();
  EXPECT_TRUE(Story(begun).read(1, 11).at_the_same_time().is_sound());
  EXPECT_TRUE(Story(begun).read_nothing().at_the_same_time().is_sound());
}

TEST(History, WhereAnAcknowledgedWriteIsNotFoundLosesAWrite) {
  EXPECT_TRUE(Story().create(11).read_nothing().breaks(Rule::lost_write));
  EXPECT_TRUE(Story().create(11).list({}).breaks(Rule::lost_write));
  EXPECT_TRUE(Story().create(11).refresh(2, 12, Outcome::gone).breaks(Rule::lost_write));
}

TEST(History, WhereAnotherWriteStandsInPlaceOfAnAcknowledgedOneLosesAWrite) {
  EXPECT_TRUE(Story().create(11).refresh(2, 12).refresh(2, 13, Outcome::unknown).read(2, 13).breaks(Rule::lost_write));
}

TEST(History, WhereAnOlderVersionIsReadGoesBack) {
  EXPECT_TRUE(Story().create(11).refresh(2, 12).read(1, 11).breaks(Rule::went_back));
  EXPECT_TRUE(Story().create(11).refresh(2, 12, Outcome::unknown).read(2, 12).read(1, 11).breaks(Rule::went_back));
}

TEST(History, WhereAVersionIsStoredThatIsKnownAlreadyGoesBack) {
  EXPECT_TRUE(Story().create(11).refresh(2, 12, Outcome::unknown).read(2, 12).refresh(2, 13).breaks(Rule::went_back));
}

TEST(History, WhereOneVersionIsGivenOutTwiceIsFound) {
  EXPECT_TRUE(Story().create(11).refresh(2, 12).refresh(2, 13).at_the_same_time().breaks(Rule::version_twice));
}

TEST(History, WhereAReplyNamesAnotherSessionVersionOrWriteIsFound) {
  auto foreign = Story::seen(1, 11);
  foreign.named_session = 2;
  EXPECT_TRUE(Story().create(11).get({foreign}).breaks(Rule::reply_of_another));
  foreign = Story::seen(1, 11);
  foreign.named_version = 2;
  EXPECT_TRUE(Story().create(11).get({foreign}).breaks(Rule::reply_of_another));
  EXPECT_TRUE(Story().create(11).read(1, 99).breaks(Rule::reply_of_another));
}

TEST(History, WhereAListShowsAnotherUsersSessionOrOneTwiceIsFound) {
  const auto own = Story::seen(1, 11);
  EXPECT_TRUE(Story().create(11).list({own, {2, 1, 2, 1, 12}}).breaks(Rule::reply_of_another));
  EXPECT_TRUE(Story().create(11).list({own, own}).breaks(Rule::reply_of_another));
}

TEST(History, WhereASessionIsReadAfterItsLogoutIsFound) {
  for (const auto logout : {Operation::delete_one, Operation::delete_all}) {
    EXPECT_TRUE(Story().create(11).log_out(logout).read(1, 11).breaks(Rule::back_after_logout));
    EXPECT_TRUE(Story().create(11).log_out(logout).list({Story::seen(1, 11)}).breaks(Rule::back_after_logout));
  }
  EXPECT_TRUE(Story().create(11).log_out(Operation::delete_others, 2).read(1, 11).breaks(Rule::back_after_logout));
  EXPECT_TRUE(Story().create(11).log_out(Operation::delete_others, session).read(1, 11).is_sound());
}

TEST(History, WhereARefreshSucceedsAfterTheLogoutIsFound) {
  EXPECT_TRUE(Story().create(11).log_out().refresh(2, 12).breaks(Rule::back_after_logout));
}

TEST(History, WhereASessionComesBackAfterItWasFoundGoneIsFound) {
  EXPECT_TRUE(Story()
                  .create(11)
                  .log_out(Operation::delete_one, session, Outcome::unknown)
                  .read_nothing()
                  .read(1, 11)
                  .breaks(Rule::back_after_gone));
}

TEST(History, AWriteThatWasRefusedAsExpiredIsNotStoredAndTakesNothingAway) {
  EXPECT_TRUE(Story().create(11).refresh(2, 12, Outcome::expired).read(2, 12).breaks(Rule::expired_but_stored));
  EXPECT_TRUE(Story().create(11).refresh(2, 12, Outcome::expired).read_nothing().breaks(Rule::lost_write));
  EXPECT_TRUE(Story().create(11).refresh(2, 12, Outcome::expired).read(1, 11).refresh(2, 13).is_sound());
}

TEST(History, WhereAWriteIsRefusedBecauseOfItselfIsFound) {
  EXPECT_TRUE(Story().create(11).lose_to(2, 12, 12).breaks(Rule::conflict_with_self));
}

TEST(History, MayForgetWhatWasAcknowledgedInAWindow) {
  const auto lost_write = Story().create(11).refresh(2, 12).read(1, 11).refresh(2, 13).read(2, 13);
  EXPECT_FALSE(lost_write.is_sound());
  EXPECT_TRUE(lost_write.is_sound_with_losses(1, 1));
  const auto lost_login = Story().create(11).read_nothing();
  EXPECT_FALSE(lost_login.is_sound());
  EXPECT_TRUE(lost_login.is_sound_with_losses(0, 0));
  const auto lost_logout = Story().create(11).log_out().read_nothing().read(1, 11);
  EXPECT_FALSE(lost_logout.is_sound());
  EXPECT_TRUE(lost_logout.is_sound_with_losses(1, 2));
  const auto seen_and_lost = Story().create(11).refresh(2, 12, Outcome::unknown).read(2, 12).read(1, 11);
  EXPECT_FALSE(seen_and_lost.is_sound());
  EXPECT_TRUE(seen_and_lost.is_sound_with_losses(2, 2));
}

TEST(History, MustRememberWhatWasAcknowledgedOutsideTheWindow) {
  const auto lost_write = Story().create(11).refresh(2, 12).read(2, 12).read(1, 11);
  EXPECT_FALSE(lost_write.is_sound_with_losses(2, 3));
  const auto lost_logout = Story().create(11).log_out().read_nothing().read(1, 11);
  EXPECT_FALSE(lost_logout.is_sound_with_losses(2, 3));
}

TEST(History, MustRememberAConfirmedLogoutWheneverItWas) {
  const auto logged_out = Story().create(11).log_out().confirmed().read(1, 11);
  EXPECT_FALSE(logged_out.is_sound_with_losses(1, 1));
}

TEST(History, MayNotShowAnothersSessionInAWindow) {
  auto foreign = Story::seen(1, 11);
  foreign.named_session = 2;
  EXPECT_FALSE(Story().create(11).get({foreign}).is_sound_with_losses(0, 1));
}

/// Gets of one user, one each ten milliseconds but for a gap from `from` to `to`.
std::vector<Call> gets_but_from(Time from, Time to, Time until) {
  std::vector<Call> calls;
  for (Time time = 0; time < until; time += 10'000'000) {
    if (time > from && time < to) continue;
    calls.push_back({.operation = Operation::get, .outcome = Outcome::done, .start = time, .end = time + 1});
  }
  return calls;
}

TEST(Outage, LastsUntilAUsersCallsSucceedAgain) {
  constexpr Time second = 1'000'000'000;
  const Event event{.name = "kill", .begun = 2 * second, .restored = 4 * second, .over = 9 * second};
  auto calls = gets_but_from(2 * second, 5 * second, 10 * second);
  EXPECT_EQ(outage_of(event, second, calls).longest_wait / second, 3);
  EXPECT_EQ(outage_of(event, second, gets_but_from(0, 0, 10 * second)).longest_wait / second, 0);
  // Another user's calls going on are no comfort.
  for (auto call : gets_but_from(0, 0, 10 * second)) {
    call.user = 1;
    calls.push_back(call);
  }
  EXPECT_EQ(outage_of(event, second, calls).longest_wait / second, 3);
}

TEST(Outage, OfOneStoreIsNoShorterSinceAnotherServesTheUser) {
  constexpr Time second = 1'000'000'000;
  const Event event{.name = "kill", .begun = 2 * second, .restored = 4 * second, .over = 9 * second};
  auto calls = gets_but_from(2 * second, 5 * second, 10 * second);
  for (auto call : gets_but_from(0, 0, 10 * second)) {
    call.is_async = true;
    calls.push_back(call);
  }
  EXPECT_EQ(outage_of(event, second, calls).longest_wait / second, 3);
}

TEST(Outage, DoesNotCountWhatCallersGaveUp) {
  const Event event{.name = "kill", .begun = 2, .restored = 4, .over = 9};
  const auto outage = outage_of(event, 1, {{.outcome = Outcome::given_up, .start = 6, .end = 7}});
  EXPECT_EQ(outage.failures + outage.late_failures, 0U);
}

TEST(Outage, CountsFailuresAndThoseThatNobodyNeedsToForgive) {
  constexpr Time second = 1'000'000'000;
  const Event event{.name = "kill", .begun = 2 * second, .restored = 4 * second, .over = 9 * second};
  const auto failure = [](Time start) { return Call{.outcome = Outcome::unknown, .start = start, .end = start + 1}; };
  const auto outage = outage_of(event, second, {failure(second), failure(3 * second), failure(6 * second)});
  EXPECT_EQ(outage.failures, 2U);
  EXPECT_EQ(outage.late_failures, 1U);
}

}}  // namespace obol::testing::history

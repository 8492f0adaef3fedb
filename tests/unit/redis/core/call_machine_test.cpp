// The life of a call as events and actions: tables of what happens to calls, and a random walk through all of it.
#include "redis/core/call_machine.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <ostream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace obol::redis {

// Where gtest finds it by its argument.
// NOLINTNEXTLINE(misc-use-anonymous-namespace)
static void PrintTo(CallMachine::Action action, std::ostream* out) {
  constexpr std::array names{"locate", "send", "follow", "learn", "load_functions", "load_scripts", "pause", "finish"};
  *out << names.at(static_cast<std::size_t>(action));
}

namespace {

using Action = CallMachine::Action;
using enum Action;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr CallRules in_cluster{.follows_redirects = true, .loads_functions = true};

/// What is reported to the machine.
struct Event {
  enum class Kind {
    located,
    not_located,
    replied,
    failed,
    followed,
    not_followed,
    learnt,
    loaded,
    not_loaded,
    resumed,
  };
  Kind kind;
  Action next;                              ///< What the machine does then.
  std::string_view text{};                  ///< Of the reply to the last command, if that is an error.
  ErrorCode code = ErrorCode::unavailable;  ///< Of a failure.
  bool was_sent = true;
  bool may_repeat = true;
  bool has_left = false;
  bool may_have_acted = false;
  milliseconds took{0};
};

class CallMachineTest : public ::testing::Test {
 protected:
  Action report(const Event& event) {
    using enum Event::Kind;
    now += event.took;
    const CallFailure failure{.error = {event.code, "trouble"},
                              .came_from_server = event.was_sent,
                              .may_repeat = event.may_repeat,
                              .may_have_acted = event.may_have_acted};
    switch (event.kind) {
      case located:
        return machine.located(now);
      case not_located:
        return machine.not_located({event.code, "nowhere"}, now);
      case replied:
        return replied_with({"fine", event.text});
      case failed:
        return machine.failed(failure, event.has_left, now);
      case followed:
        return machine.followed(true, now);
      case not_followed:
        return machine.followed(false, now);
      case learnt:
        return machine.learnt(now);
      case loaded:
        return machine.loaded(now);
      case not_loaded:
        return machine.not_loaded(failure, event.has_left, now);
      case resumed:
        now = std::max(now, machine.resume_at());
        return machine.resumed(now);
    }
    return finish;
  }

  /// Empty: a good reply; else an error reply.
  Action replied_with(const std::array<std::string_view, 2>& texts) {
    std::array<Reply, 2> replies;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const bool is_good = texts[i].empty() || texts[i] == "fine";
      replies[i] = {.kind = is_good ? Reply::Kind::integer : Reply::Kind::error, .text = texts[i]};
    }
    return machine.replied(replies, commands);
  }

  void use_up_budget() {
    while (budget.spend()) {
    }
  }

  ErrorCode error() const { return static_cast<ErrorCode>(machine.failure()->error.code.value()); }

  const std::array<Command, 2> commands{Command{"HDEL", "k", "f"}, Command{"WAIT", "1", "100"}};
  CallMachine::TimePoint now{seconds(1000)};
  const CallMachine::TimePoint deadline = now + seconds(5);
  RetryBudget budget;
  CallMachine machine{in_cluster, budget, deadline};
};

TEST_F(CallMachineTest, LocatesSendsAndFinishes) {
  EXPECT_EQ(machine.begin(), locate);
  EXPECT_EQ(machine.located(now), send);
  EXPECT_FALSE(machine.asks());
  EXPECT_EQ(machine.sharing(), Sharing::allowed);
  EXPECT_EQ(replied_with({}), finish);
  EXPECT_FALSE(machine.failure().has_value());
}

struct Life {
  const char* name;
  std::vector<Event> events;
  std::optional<ErrorCode> outcome;  ///< None: the reply.
};
void PrintTo(const Life& tested, std::ostream* out) { *out << tested.name; }

class CallLifeTest : public CallMachineTest, public ::testing::WithParamInterface<Life> {};

TEST_P(CallLifeTest, IsAsTheTableSays) {
  const auto& [name, events, outcome] = GetParam();
  auto action = machine.begin();
  for (std::size_t i = 0; i < events.size(); ++i) {
    action = report(events[i]);
    ASSERT_EQ(action, events[i].next) << "after event " << i;
  }
  ASSERT_EQ(action, finish);
  EXPECT_EQ(machine.failure().has_value(), outcome.has_value());
  if (outcome && machine.failure()) {
    EXPECT_EQ(error(), *outcome) << machine.failure()->error.message;
  }
}

using Kind = Event::Kind;

Event located() { return {.kind = Kind::located, .next = send}; }
Event replied() { return {.kind = Kind::replied, .next = finish}; }
Event refused(std::string_view text, Action next) { return {.kind = Kind::replied, .next = next, .text = text}; }
Event lost(ErrorCode code = ErrorCode::unavailable) { return {.kind = Kind::failed, .next = learn, .code = code}; }
Event learnt() { return {.kind = Kind::learnt, .next = pause}; }
Event resumed(Action next = locate) { return {.kind = Kind::resumed, .next = next}; }
Event done_for(ErrorCode code) { return {.kind = Kind::failed, .next = finish, .code = code, .may_repeat = false}; }
Event not_sent_for(ErrorCode code) {
  return {.kind = Kind::failed, .next = finish, .code = code, .was_sent = false, .may_repeat = false};
}

Event late_for_a_connection() {
  auto event = not_sent_for(ErrorCode::pool_timeout);
  event.took = seconds(5);
  return event;
}

/// Of a call whose batch was given up after it was sent.
Event not_sent_again_for(ErrorCode code) {
  auto event = not_sent_for(code);
  event.may_have_acted = true;
  return event;
}

/// A call that is repeated after a pause, and then succeeds.
std::vector<Event> repeated_after(const Event& first) {
  return {located(), first, learnt(), resumed(), located(), replied()};
}

// Each error reply, and what follows.
INSTANTIATE_TEST_SUITE_P(
    Refusals, CallLifeTest,
    ::testing::Values(
        Life{"MOVED",
             {located(), refused("MOVED 1 a:1", follow), {.kind = Kind::followed, .next = send}, replied()},
             {}},
        Life{"MOVED to a node that nobody knows",
             {located(),
              refused("MOVED 1 ?:1", follow),
              {.kind = Kind::not_followed, .next = pause},
              resumed(),
              located(),
              replied()},
             {}},
        Life{"MOVED that is malformed", {located(), refused("MOVED", finish)}, ErrorCode::unsupported_server},
        Life{"ASK", {located(), refused("ASK 1 a:1", follow), {.kind = Kind::followed, .next = send}, replied()}, {}},
        Life{"TRYAGAIN", repeated_after(refused("TRYAGAIN", learn)), {}},
        Life{"CLUSTERDOWN", repeated_after(refused("CLUSTERDOWN", learn)), {}},
        Life{"LOADING", repeated_after(refused("LOADING", learn)), {}},
        Life{"MASTERDOWN", repeated_after(refused("MASTERDOWN", learn)), {}},
        Life{"BUSY", repeated_after(refused("BUSY", learn)), {}},
        Life{"READONLY", repeated_after(refused("READONLY", learn)), {}},
        Life{"NOAUTH", repeated_after(refused("NOAUTH", learn)), {}},
        Life{"maxclients", repeated_after(refused("ERR max number of clients reached", learn)), {}},
        Life{"OOM", {located(), refused("OOM", finish)}, ErrorCode::out_of_memory},
        Life{"MISCONF", {located(), refused("MISCONF", finish)}, ErrorCode::server},
        Life{"NOREPLICAS", {located(), refused("NOREPLICAS", finish)}, ErrorCode::server},
        Life{"NOPERM", {located(), refused("NOPERM", finish)}, ErrorCode::permission},
        Life{"ACL failure in script", {located(), refused("ERR ACL failure in script", finish)}, ErrorCode::permission},
        Life{"WRONGPASS", {located(), refused("WRONGPASS", finish)}, ErrorCode::auth},
        Life{"UNKILLABLE", {located(), refused("UNKILLABLE", finish)}, ErrorCode::server},
        Life{"Function not found",
             {located(),
              refused("ERR Function not found", load_functions),
              {.kind = Kind::loaded, .next = send},
              replied()},
             {}},
        Life{"Function not found, and loading them is lost",
             {located(),
              refused("ERR Function not found", load_functions),
              {.kind = Kind::not_loaded, .next = learn},
              learnt(),
              resumed(),
              located(),
              replied()},
             {}},
        Life{"Function not found, and they may not be loaded",
             {located(),
              refused("ERR Function not found", load_functions),
              {.kind = Kind::not_loaded, .next = finish, .code = ErrorCode::permission, .may_repeat = false}},
             ErrorCode::permission},
        Life{"Function not found, and loading them timed out: the command was not run",
             {located(),
              refused("ERR Function not found", load_functions),
              {.kind = Kind::not_loaded, .next = finish, .code = ErrorCode::timeout, .may_repeat = false}},
             ErrorCode::unavailable},
        Life{"NOSCRIPT",
             {located(),
              refused("NOSCRIPT No matching script.", load_scripts),
              {.kind = Kind::loaded, .next = send},
              replied()},
             {}},
        Life{"NOSCRIPT as often as scripts are loaded",
             {located(),
              refused("NOSCRIPT", load_scripts),
              {.kind = Kind::loaded, .next = send},
              refused("NOSCRIPT", load_scripts),
              {.kind = Kind::loaded, .next = send},
              refused("NOSCRIPT", load_scripts),
              {.kind = Kind::loaded, .next = send},
              refused("NOSCRIPT", load_scripts),
              {.kind = Kind::loaded, .next = send},
              refused("NOSCRIPT", load_scripts),
              {.kind = Kind::loaded, .next = send},
              refused("NOSCRIPT", load_scripts),
              {.kind = Kind::loaded, .next = pause},
              {.kind = Kind::resumed, .next = send},
              replied()},
             {}},
        Life{"NOSCRIPT, and loading them is lost",
             {located(),
              refused("NOSCRIPT", load_scripts),
              {.kind = Kind::not_loaded, .next = learn},
              learnt(),
              resumed(),
              located(),
              replied()},
             {}}));

// Each fault of tests/support/fault.hpp, as a transport reports it.
INSTANTIATE_TEST_SUITE_P(
    Faults, CallLifeTest,
    ::testing::Values(
        Life{"delay, trickle, cut_after_reply, push_before_reply: the reply comes", {located(), replied()}, {}},
        Life{"cut_in_command, cut_before_delivery, cut_before_reply, cut_in_reply, reset_in_reply",
             repeated_after(lost()),
             {}},
        Life{"duplicate_reply, or a reply missing, in a batch", repeated_after(lost()), {}},
        Life{"deliver_late, swallow_reply, half_open, endless", repeated_after(lost(ErrorCode::timeout)), {}},
        Life{"garbage", {located(), done_for(ErrorCode::protocol)}, ErrorCode::protocol},
        Life{"endless bytes of one reply", {located(), done_for(ErrorCode::too_large)}, ErrorCode::too_large},
        Life{"lost with no retry budget left", {located(), done_for(ErrorCode::unavailable)}, ErrorCode::unavailable},
        Life{"timed out with no retry budget left", {located(), done_for(ErrorCode::timeout)}, ErrorCode::timeout},
        Life{"the server cannot be reached", {located(), not_sent_for(ErrorCode::unavailable)}, ErrorCode::unavailable},
        Life{"no connection became free", {located(), not_sent_for(ErrorCode::pool_timeout)}, ErrorCode::pool_timeout},
        Life{"wrong password", {located(), not_sent_for(ErrorCode::auth)}, ErrorCode::auth},
        Life{"the store was closed", {located(), not_sent_for(ErrorCode::closed)}, ErrorCode::closed},
        Life{"the node has left the cluster",
             {located(),
              {.kind = Kind::failed,
               .next = locate,
               .code = ErrorCode::closed,
               .was_sent = false,
               .may_repeat = false,
               .has_left = true},
              located(),
              replied()},
             {}},
        Life{"no primary serves the slot",
             {{.kind = Kind::not_located, .next = pause}, resumed(), located(), replied()},
             {}},
        Life{"the store was closed before a node was found",
             {{.kind = Kind::not_located, .next = finish, .code = ErrorCode::closed}},
             ErrorCode::closed}));

INSTANTIATE_TEST_SUITE_P(
    Deadlines, CallLifeTest,
    ::testing::Values(
        Life{"locating took all the time",
             {{.kind = Kind::located, .next = finish, .took = seconds(5)}},
             ErrorCode::unavailable},
        Life{"waiting for a connection took all the time",
             {located(), late_for_a_connection()},
             ErrorCode::pool_timeout},
        Life{"waiting for another connection took the rest of the time: the first failure says more",
             {located(), refused("NOAUTH", learn), learnt(), resumed(), located(), late_for_a_connection()},
             ErrorCode::auth},
        Life{"the reply came, as the last moment passed",
             {located(), {.kind = Kind::replied, .next = finish, .took = seconds(5)}},
             {}},
        Life{"lost at the deadline",
             {located(),
              {.kind = Kind::failed, .next = learn, .took = seconds(5)},
              {.kind = Kind::learnt, .next = finish}},
             ErrorCode::unavailable},
        Life{"redirected at the deadline",
             {located(), refused("MOVED 1 a:1", follow), {.kind = Kind::followed, .next = finish, .took = seconds(5)}},
             ErrorCode::unavailable},
        Life{"loaded at the deadline",
             {located(),
              refused("ERR Function not found", load_functions),
              {.kind = Kind::loaded, .next = finish, .took = seconds(5)}},
             ErrorCode::unsupported_server},
        Life{"a pause that took too long",
             {located(), lost(), learnt(), {.kind = Kind::resumed, .next = finish, .took = seconds(6)}},
             ErrorCode::unavailable}));

Event redirected(Action next) { return {.kind = Kind::followed, .next = next}; }

INSTANTIATE_TEST_SUITE_P(
    UnknownOutcomes, CallLifeTest,
    ::testing::Values(
        Life{
            "timed out, and then the server cannot be reached: it may have acted",
            {located(), lost(ErrorCode::timeout), learnt(), resumed(), located(), not_sent_for(ErrorCode::unavailable)},
            ErrorCode::timeout},
        Life{"timed out, and then no connection is free",
             {located(), lost(ErrorCode::timeout), learnt(), resumed(), located(),
              not_sent_for(ErrorCode::pool_timeout)},
             ErrorCode::timeout},
        Life{"timed out, and then it was closed",
             {located(), lost(ErrorCode::timeout), learnt(), resumed(), located(), not_sent_for(ErrorCode::closed)},
             ErrorCode::closed},
        Life{"lost, and then no connection is free: pool_timeout would say that it was not sent",
             {located(), lost(), learnt(), resumed(), located(), not_sent_for(ErrorCode::pool_timeout)},
             ErrorCode::unavailable},
        Life{"nowhere to go, and then no connection is free: it was not sent",
             {{.kind = Kind::not_located, .next = pause}, resumed(), located(), not_sent_for(ErrorCode::pool_timeout)},
             ErrorCode::pool_timeout},
        Life{"sent in a batch that was given up, and then no connection is free",
             {located(), not_sent_again_for(ErrorCode::pool_timeout)},
             ErrorCode::timeout},
        Life{"sent in a batch that was given up, and then the server cannot be reached",
             {located(), not_sent_again_for(ErrorCode::unavailable)},
             ErrorCode::timeout},
        Life{"timed out, and then it is repeated", repeated_after(lost(ErrorCode::timeout)), {}}));

INSTANTIATE_TEST_SUITE_P(Rounds, CallLifeTest,
                         ::testing::Values(Life{
                             "five repeats without a pause, and a pause before the sixth",
                             {located(), refused("MOVED 1 a:1", follow), redirected(send),
                              refused("MOVED 1 b:1", follow), redirected(send), refused("MOVED 1 a:1", follow),
                              redirected(send), refused("MOVED 1 b:1", follow), redirected(send),
                              refused("MOVED 1 a:1", follow), redirected(send), refused("MOVED 1 b:1", follow),
                              redirected(pause), resumed(send), replied()},
                             {}}));

TEST_F(CallMachineTest, SendsASKINGToTheNodeItWasSentToForThisOnceAlone) {
  machine.located(now);
  ASSERT_EQ(replied_with({"ASK 3999 127.0.0.1:7002"}), follow);
  EXPECT_EQ(machine.redirect().to.port, 7002);
  ASSERT_EQ(machine.followed(true, now), send);
  EXPECT_TRUE(machine.asks());
  ASSERT_EQ(replied_with({"TRYAGAIN"}), learn);
  machine.learnt(now);
  ASSERT_EQ(machine.resumed(now), locate);
  EXPECT_FALSE(machine.asks());
}

TEST_F(CallMachineTest, SendsASKINGAgainOnceTheFunctionsAreLoadedThere) {
  machine.located(now);
  replied_with({"ASK 3999 127.0.0.1:7002"});
  machine.followed(true, now);
  ASSERT_EQ(replied_with({"ERR Function not found"}), load_functions);
  ASSERT_EQ(machine.loaded(now), send);
  EXPECT_TRUE(machine.asks());
}

TEST_F(CallMachineTest, DoesNotSendASKINGAfterMOVED) {
  machine.located(now);
  replied_with({"MOVED 3999 127.0.0.1:7002"});
  ASSERT_EQ(machine.followed(true, now), send);
  EXPECT_FALSE(machine.asks());
}

TEST_F(CallMachineTest, GoesAloneOnceItHasTimedOut) {
  machine.located(now);
  machine.failed({.error = {ErrorCode::unavailable, "reset"}, .came_from_server = true, .may_repeat = true}, false,
                 now);
  EXPECT_EQ(machine.sharing(), Sharing::allowed);
  machine.failed({.error = {ErrorCode::timeout, "late"}, .came_from_server = true, .may_repeat = true}, false, now);
  EXPECT_EQ(machine.sharing(), Sharing::alone);
  machine.failed({.error = {ErrorCode::unavailable, "reset"}, .came_from_server = true, .may_repeat = true}, false,
                 now);
  EXPECT_EQ(machine.sharing(), Sharing::alone);
}

TEST_F(CallMachineTest, KnowsThatCommandsWereSplitBetweenTwoNodes) {
  machine.located(now);
  replied_with({"MOVED 1 a:1", "MOVED 1 a:1"});
  machine.followed(true, now);
  EXPECT_FALSE(machine.was_split());
  replied_with({"fine", "MOVED 1 b:1"});
  EXPECT_TRUE(machine.was_split());
  machine.followed(true, now);
  EXPECT_EQ(replied_with({}), finish);
  EXPECT_TRUE(machine.was_split());
}

TEST_F(CallMachineTest, SaysWhichConnectionsARefusalEnds) {
  machine.located(now);
  replied_with({"READONLY"});
  EXPECT_EQ(machine.drops(), Verdict::Drops::all);
  replied_with({"TRYAGAIN"});
  EXPECT_EQ(machine.drops(), Verdict::Drops::none);
}

TEST_F(CallMachineTest, StopsIfARefusalNeedsMoreRetryBudgetThanThereIs) {
  use_up_budget();
  machine.located(now);
  EXPECT_EQ(replied_with({"READONLY"}), finish);
  EXPECT_EQ(error(), ErrorCode::unavailable);
}

TEST_F(CallMachineTest, WaitsForTheClusterWithoutRetryBudget) {
  use_up_budget();
  machine.located(now);
  EXPECT_EQ(replied_with({"CLUSTERDOWN"}), learn);
}

TEST_F(CallMachineTest, LoadsScriptsIfTheServerKnowsNoFunctions) {
  const Reply refusal{.kind = Reply::Kind::error, .text = "ERR unknown command 'FCALL'"};
  machine.located(now);
  const Command plain{"HGET", "k", "f"};
  EXPECT_EQ(machine.replied({&refusal, 1}, {&plain, 1}), finish);
  const Command call{"FCALL", "function", "1", "k"};
  EXPECT_EQ(machine.replied({&refusal, 1}, {&call, 1}), load_scripts);
  EXPECT_EQ(machine.loaded(now), send);
  EXPECT_EQ(error(), ErrorCode::unsupported_server);
}

TEST_F(CallMachineTest, NamesTheCommandThatWasRefused) {
  machine.located(now);
  replied_with({"fine", "NOPERM"});
  EXPECT_NE(machine.failure()->error.message.find("WAIT"), std::string::npos) << machine.failure()->error.message;
  EXPECT_TRUE(machine.failure()->names_no_server);
}

/// Reports anything that may happen, in any order, and holds the machine to its promises.
class RandomWalk {
 public:
  explicit RandomWalk(std::uint64_t seed) : random_(seed), redirects_much_(seed % 2 == 1) {}

  void go() {
    for (auto action = machine_.begin(), before = pause; action != finish; action = step(before = action)) {
      ASSERT_LT(++steps_, 10'000) << "it does not end";
      const bool is_repeat = before == send || before == follow || before == load_functions || before == load_scripts;
      if (is_repeat && (action == send || action == locate)) ++times_at_once_;
      ASSERT_LE(times_at_once_, CallMachine::most_at_once) << "it repeats too often without a pause";
      if (action == send) {
        ASSERT_LT(now_, deadline_) << "it sends after its deadline";
        ASSERT_TRUE(may_go_on_) << "it repeats what may not be repeated";
        ASSERT_EQ(machine_.sharing(), has_timed_out_ ? Sharing::alone : Sharing::allowed);
        ASSERT_EQ(machine_.asks(), is_asked_);
      } else if (action == pause) {
        ASSERT_GE(machine_.resume_at(), now_);
        ASSERT_LT(machine_.resume_at(), deadline_) << "it pauses longer than it has time";
      } else if (action == locate) {
        ASSERT_TRUE(may_go_on_);
        is_asked_ = false;
      }
    }
    ASSERT_EQ(machine_.failure().has_value(), !has_reply_);
    if (has_timed_out_ && !has_reply_) {
      ASSERT_NE(machine_.failure()->error.code, ErrorCode::unavailable);
      ASSERT_NE(machine_.failure()->error.code, ErrorCode::pool_timeout);
    }
  }

 private:
  std::size_t any(std::size_t choices) { return std::uniform_int_distribution<std::size_t>(0, choices - 1)(random_); }

  void pass_time() {
    constexpr std::array<milliseconds, 5> spans{milliseconds(0), milliseconds(0), milliseconds(1), milliseconds(200),
                                                milliseconds(3000)};
    now_ += spans.at(any(spans.size()));
  }

  Action step(Action action) {
    if (action == pause) now_ = std::max(now_, machine_.resume_at());
    pass_time();
    switch (action) {
      case locate:
        if (any(4) > 0) return machine_.located(now_);
        may_go_on_ = any(4) > 0;
        return machine_.not_located({may_go_on_ ? ErrorCode::unavailable : ErrorCode::closed, "nowhere"}, now_);
      case send:
        return answer();
      case follow: {
        const bool is_found = redirects_much_ || any(4) > 0;
        is_asked_ = is_found && machine_.redirect().kind == Redirect::Kind::ask;
        return machine_.followed(is_found, now_);
      }
      case learn:
        return machine_.learnt(now_);
      case load_functions:
      case load_scripts:
        return any(2) > 0 ? machine_.loaded(now_) : fail(&CallMachine::not_loaded, false);
      case pause:
        return machine_.resumed(now_);
      case finish:
        break;
    }
    return finish;
  }

  Action answer() {
    constexpr std::array<std::string_view, 11> refusals{
        "MOVED 1 a:1", "MOVED 1 b:1", "ASK 1 c:1", "ERR Function not found", "NOSCRIPT", "TRYAGAIN",
        "CLUSTERDOWN", "READONLY",    "OOM",       "MOVED 1 nobody",         "ERR what"};
    constexpr std::size_t redirections = 3;
    if (redirects_much_ && any(10) > 0) return refuse(refusals.at(any(redirections)));
    if (any(3) == 0) return fail(&CallMachine::failed, true);
    if (any(10) == 0) {
      has_reply_ = true;
      may_go_on_ = false;
      return machine_.replied({&good_, 1}, {&command_, 1});
    }
    return refuse(refusals.at(any(refusals.size())));
  }

  Action refuse(std::string_view text) {
    const Reply refusal{.kind = Reply::Kind::error, .text = text};
    may_go_on_ = verdict_for(refusal, in_cluster).next != Verdict::Next::stop;
    return machine_.replied({&refusal, 1}, {&command_, 1});
  }

  Action fail(Action (CallMachine::*report)(CallFailure, bool, CallMachine::TimePoint), bool may_be_sent) {
    constexpr std::array codes{ErrorCode::unavailable, ErrorCode::timeout, ErrorCode::pool_timeout, ErrorCode::closed,
                               ErrorCode::protocol};
    CallFailure failure{.error = {codes.at(any(codes.size())), "trouble"}};
    failure.came_from_server = failure.error.code == ErrorCode::timeout || any(2) > 0;
    const bool has_left = any(2) > 0;
    failure.may_repeat = is_transient(failure.error) && any(2) > 0;
    may_go_on_ = failure.may_repeat || (failure.error.code == ErrorCode::closed && has_left);
    if (may_be_sent && failure.error.code == ErrorCode::timeout) has_timed_out_ = true;
    return (machine_.*report)(std::move(failure), has_left, now_);
  }

  std::mt19937_64 random_;
  const bool redirects_much_;
  CallMachine::TimePoint now_{seconds(1000)};
  const CallMachine::TimePoint deadline_ = now_ + seconds(5);
  RetryBudget budget_;
  const Command command_{"HGET", "k", "f"};
  const Reply good_{.kind = Reply::Kind::nil};
  CallMachine machine_{in_cluster, budget_, deadline_};
  int steps_ = 0;
  int times_at_once_ = 0;
  bool may_go_on_ = true;
  bool is_asked_ = false;
  bool has_timed_out_ = false;
  bool has_reply_ = false;
};

TEST(CallMachineWalk, KeepsItsPromisesWhateverHappensInWhateverOrder) {
  for (std::uint64_t seed = 0; seed < 20'000 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomWalk(seed).go();
  }
}

}  // namespace
}  // namespace obol::redis

// The flows of a session manager, told every reply that a store can give, in any order.
#include "manager/flows.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "support/sessions.hpp"

namespace obol::manager { namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::seconds;
using testing::now_in_seconds;

SessionIssuer issuer(ReuseResponse on_reuse) {
  SessionManagerOptions options{.keyring = Keyring(testing::signing_key()), .on_reuse = on_reuse};
  options.clock = [now = now_in_seconds()] { return std::chrono::system_clock::time_point(now); };
  return SessionIssuer(std::move(options));
}

/// A session as another process may have stored it by now.
Session any_session(std::mt19937& random, Session session) {
  const auto now = now_in_seconds();
  const auto some_time = [&] {
    const std::vector<std::chrono::sys_seconds> times{now - days(30),
                                                      now - hours(1),
                                                      now - seconds(11),
                                                      now - seconds(1),
                                                      now,
                                                      now + hours(1),
                                                      std::chrono::sys_seconds::min(),
                                                      std::chrono::sys_seconds::max()};
    return times[random() % times.size()];
  };
  session.tokens_fresh_from = some_time();
  session.prev_tokens_fresh_from = some_time();
  session.refreshed_at = some_time();
  session.refresh_expires_at = random() % 8 == 0 ? some_time() : now + hours(2);
  if (random() % 8 == 0) session.expires_at = some_time();
  if (random() % 32 == 0) session.id = "of another session";
  session.lock_version = 1 + random() % 100;
  return session;
}

StoreReply any_reply(std::mt19937& random, const Session& session) {
  const auto fail = [](ErrorCode code) { return std::unexpected(UpsertError{{code, "a reply"}}); };
  switch (random() % 12) {
    case 0:
      return fail(ErrorCode::gone);
    case 1:
      return fail(ErrorCode::expired);
    case 2:
      return fail(ErrorCode::conflict);
    case 3:
      return fail(ErrorCode::unavailable);
    case 4:
      return fail(ErrorCode::too_large);
    case 5:
    case 6:
      return any_session(random, session);
    default:
      return std::unexpected(UpsertError{{ErrorCode::conflict, "a reply"}, any_session(random, session)});
  }
}

/// What a store replies to such a request: a delete has no session, a read may find none, and only a write can be late.
StoreReply fitting(StoreReply reply, const StoreRequest& request, std::mt19937& random) {
  if (std::holds_alternative<UpsertSession>(request) || std::holds_alternative<RotateSessionId>(request)) return reply;
  if (!reply && !reply.error().current) return std::unexpected(UpsertError{{ErrorCode::unavailable, "a reply"}});
  if (!std::holds_alternative<GetSession>(request) || random() % 4 == 0) return std::nullopt;
  return reply ? *reply : reply.error().current;
}

/// The session that a reply shows.
std::optional<Session> shown(const StoreReply& reply) { return reply ? *reply : reply.error().current; }

Session session_of(const LoggedIn& outcome) { return outcome.session; }
Session session_of(const Session& outcome) { return outcome; }
Session session_of(const Authenticated& outcome) { return *outcome.session; }

template <class Flow>
void walk(Flow flow, const Session& session, std::mt19937& random) {
  auto step = flow.begin();
  StoreReply last;
  int calls = 0;
  for (; std::holds_alternative<StoreRequest>(step); ++calls) {
    ASSERT_LE(calls, max_attempts + 2) << "it must end";
    last = fitting(any_reply(random, session), std::get<StoreRequest>(step), random);
    step = flow.receive(last);
  }
  const auto& outcome = std::get<typename Flow::Outcome>(step);
  if (!outcome) {
    ASSERT_GT(calls, 0);
    ASSERT_FALSE(last.has_value()) << "an error is the store's";
    EXPECT_EQ(outcome.error().code, last.error().code);
    EXPECT_TRUE(outcome.error().code != ErrorCode::gone && outcome.error().code != ErrorCode::expired);
  } else if (*outcome && calls > 0) {
    EXPECT_EQ(session_of(**outcome), shown(last)) << "nobody is logged in but by what the store showed last";
  }
}

TEST(Flows, EndWhateverTheStoreReplies) {
  for (const auto on_reuse : {ReuseResponse::end_session, ReuseResponse::refuse_token}) {
    const auto issuing = issuer(on_reuse);
    auto session = issuing.new_session("426", "payload", now_in_seconds()).value();
    session.lock_version = 1;
    const auto tokens = issuing.issue(session).value().tokens;
    const PayloadChange grow = [](std::string& payload) { payload += '!'; };
    for (unsigned seed = 0; seed < 500; ++seed) {
      std::mt19937 random(seed);
      walk(AuthenticateFlow(issuing, tokens.access, AccessCheck::token_and_session), session, random);
      walk(RefreshFlow(issuing, tokens.refresh, {}), session, random);
      walk(RefreshFlow(issuing, tokens.refresh, grow), session, random);
      walk(SecureFlow(issuing, any_session(random, session), grow), session, random);
      walk(TouchFlow(issuing, any_session(random, session)), session, random);
    }
  }
}

// A session of another id is never answered with tokens.
TEST(Flows, AnswerNoRefreshWithAnotherSession) {
  const auto issuing = issuer(ReuseResponse::end_session);
  auto session = issuing.new_session("426", "payload", now_in_seconds()).value();
  const auto tokens = issuing.issue(session).value().tokens;
  for (const auto change : {&Session::id, &Session::user_id, &Session::type}) {
    auto other = session;
    other.*change = "other";
    RefreshFlow flow(issuing, tokens.refresh, {});
    ASSERT_TRUE(std::holds_alternative<StoreRequest>(flow.begin()));
    const auto step = flow.receive(std::optional(other));
    ASSERT_TRUE(std::holds_alternative<LogInOutcome>(step));
    EXPECT_EQ(std::get<LogInOutcome>(step).value().has_value(), false);
  }
}

}}  // namespace obol::manager

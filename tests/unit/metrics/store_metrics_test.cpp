// What is counted for which event.
#include "obol/metrics/store_metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/metric_points.hpp"

namespace obol::testing { namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

CallEvent call(Operation operation, CallOutcome outcome, nanoseconds duration = nanoseconds(1)) {
  return {.operation = operation, .outcome = outcome, .duration = duration};
}
CallEvent failure(Operation operation, ErrorCode error) {
  return {.operation = operation, .outcome = CallOutcome::failed, .error = error, .duration = nanoseconds(1)};
}

TEST(StoreMetrics, NamesEveryInstrumentOnce) {
  std::set<std::string_view> names;
  for (const auto& instrument : instruments()) {
    EXPECT_TRUE(names.insert(instrument.name).second) << instrument.name;
    EXPECT_FALSE(instrument.unit.empty() || instrument.description.empty()) << instrument.name;
  }
  EXPECT_EQ(StoreMetrics().points().size(), names.size());
}

TEST(StoreMetrics, PutsEachCallIntoTheHistogramOfItsOperationAndOutcome) {
  StoreMetrics metrics;
  metrics.on_call(call(Operation::get, CallOutcome::found));
  metrics.on_call(call(Operation::get, CallOutcome::found));
  metrics.on_call(call(Operation::get, CallOutcome::found_near));
  metrics.on_call(call(Operation::delete_others, CallOutcome::done));
  metrics.on_call(failure(Operation::update, ErrorCode::conflict));
  metrics.on_call(failure(Operation::delete_others, ErrorCode::internal));
  EXPECT_THAT(
      values_of(metrics, "db.client.operation.duration"),
      ElementsAre(
          Pair("db.system.name=redis db.operation.name=delete_others obol.outcome=done", 1),
          Pair("db.system.name=redis db.operation.name=delete_others obol.outcome=failed error.type=internal", 1),
          Pair("db.system.name=redis db.operation.name=get obol.outcome=found", 2),
          Pair("db.system.name=redis db.operation.name=get obol.outcome=found_near", 1),
          Pair("db.system.name=redis db.operation.name=update obol.outcome=failed error.type=conflict", 1)));
}

TEST(StoreMetrics, CountsADurationInTheFirstBucketThatHoldsIt) {
  StoreMetrics metrics;
  const auto last = duration_bounds().back();
  for (const auto duration : {nanoseconds(0), nanoseconds(microseconds(1)), nanoseconds(1001), last, last + last}) {
    metrics.on_call(call(Operation::get, CallOutcome::absent, duration));
  }
  const auto points = metrics.points(0);
  ASSERT_EQ(points.size(), 1U);
  std::vector<std::uint64_t> expected(duration_bounds().size() + 1, 0);
  expected[0] = 2;
  expected[1] = 1;
  expected[expected.size() - 2] = 1;
  expected.back() = 1;
  EXPECT_EQ(points[0].bucket_counts, expected);
  EXPECT_EQ(points[0].sum, microseconds(1) + nanoseconds(1001) + 3 * last);
}

TEST(StoreMetrics, SamplesWatchedSessions) {
  StoreMetrics metrics;
  EXPECT_THAT(values_of(metrics, "obol.session_watch.sessions"), IsEmpty());
  metrics.watch([] {
    return SessionWatchStatistics{
        .watched = 7, .users = 5, .unknown = 3, .ended = 11, .reads = 13, .connections = 17, .connection_losses = 15};
  });
  EXPECT_THAT(values_of(metrics, "obol.session_watch.sessions"),
              ElementsAre(Pair("obol.session_watch.status=live", 4), Pair("obol.session_watch.status=unknown", 3)));
  EXPECT_THAT(values_of(metrics, "obol.session_watch.users"), ElementsAre(Pair("", 5)));
  EXPECT_THAT(values_of(metrics, "obol.session_watch.ends"), ElementsAre(Pair("", 11)));
  EXPECT_THAT(values_of(metrics, "obol.session_watch.reads"), ElementsAre(Pair("", 13)));
  EXPECT_THAT(values_of(metrics, "obol.session_watch.connection.opened"), ElementsAre(Pair("", 17)));
  EXPECT_THAT(values_of(metrics, "obol.session_watch.connection.lost"), ElementsAre(Pair("", 15)));
  EXPECT_THAT(values_of(metrics, "db.client.connection.count"), IsEmpty()) << "no store is sampled";
  metrics.watch([]() -> std::optional<SessionWatchStatistics> { return std::nullopt; });
  EXPECT_THAT(values_of(metrics, "obol.session_watch.sessions"), IsEmpty());
}

TEST(StoreMetrics, BoundsAscend) {
  constexpr auto bounds = duration_bounds();
  EXPECT_EQ(std::ranges::adjacent_find(bounds, std::greater_equal{}), bounds.end());
}

TEST(StoreMetrics, CountsAnErrorOfAReleaseToComeAsOther) {
  StoreMetrics metrics;
  metrics.on_call(failure(Operation::get, static_cast<ErrorCode>(4000)));
  metrics.on_call(failure(Operation::get, static_cast<ErrorCode>(-1)));
  EXPECT_THAT(values_of(metrics, "db.client.operation.duration"),
              ElementsAre(Pair("db.system.name=redis db.operation.name=get obol.outcome=failed error.type=other", 2)));
}

TEST(StoreMetrics, CountsWhatHappensToSessions) {
  StoreMetrics metrics;
  metrics.on_created({});
  metrics.on_refreshed({});
  metrics.on_refreshed({});
  metrics.on_id_rotated({});
  metrics.on_evicted({});
  metrics.on_deleted({});
  metrics.on_deleted_all({.kept_one = false});
  metrics.on_deleted_all({.kept_one = true});
  metrics.on_deleted_all({.kept_one = true});
  metrics.on_conflict({});
  metrics.on_gone({});
  EXPECT_THAT(values_of(metrics, "obol.session.events"),
              ElementsAre(Pair("obol.session.event=conflict", 1), Pair("obol.session.event=created", 1),
                          Pair("obol.session.event=deleted", 1), Pair("obol.session.event=deleted_all", 1),
                          Pair("obol.session.event=deleted_others", 2), Pair("obol.session.event=evicted", 1),
                          Pair("obol.session.event=gone", 1), Pair("obol.session.event=id_rotated", 1),
                          Pair("obol.session.event=refreshed", 2)));
}

TEST(StoreMetrics, CountsRefusalsByReason) {
  StoreMetrics metrics;
  metrics.on_refused({.reason = ErrorCode::revoked});
  EXPECT_THAT(values_of(metrics, "obol.session.refusals"),
              ElementsAre(Pair("error.type=revoked", 1), Pair("error.type=too_many_sessions", 0)));
}

TEST(StoreMetrics, CountsReusedTokensByWhetherTheSessionWasEnded) {
  StoreMetrics metrics;
  metrics.on_token_reused({.session_ended = true});
  metrics.on_token_reused({.session_ended = true});
  EXPECT_THAT(values_of(metrics, "obol.token.reuses"),
              ElementsAre(Pair("obol.session.ended=false", 0), Pair("obol.session.ended=true", 2)));
}

TEST(StoreMetrics, CountsVerificationFailuresByReasonAndKnownKey) {
  StoreMetrics metrics;
  metrics.on_verification_failed(
      {.reason = VerificationFailure::bad_signature, .key_id = "key-2026", .is_key_known = true});
  metrics.on_verification_failed({.reason = VerificationFailure::unknown_key, .key_id = "made-up"});
  metrics.on_verification_failed({.reason = VerificationFailure::malformed});
  const auto values = values_of(metrics, "obol.verification.failures");
  EXPECT_THAT(values, Contains(Pair("obol.verification.reason=bad_signature obol.key.id=key-2026", 1)));
  EXPECT_THAT(values, Contains(Pair("obol.verification.reason=unknown_key obol.key.id=unknown", 1)));
  EXPECT_THAT(values, Contains(Pair("obol.verification.reason=malformed obol.key.id=unknown", 1)));
  EXPECT_THAT(values, Contains(Pair("obol.verification.reason=newer_format obol.key.id=unknown", 0)))
      << "a first failure must be seen as an increase";
  EXPECT_EQ(values.size(), 6U);
}

TEST(StoreMetrics, NeverHasMorePointsForKeysThanItsLimit) {
  StoreMetrics metrics;
  for (int i = 0; i < 5000; ++i) {
    metrics.on_verification_failed({.reason = VerificationFailure::unknown_key, .key_id = std::to_string(i)});
  }
  EXPECT_EQ(values_of(metrics, "obol.verification.failures").size(), 5U);
  for (int i = 0; i < 5000; ++i) {
    metrics.on_verification_failed(
        {.reason = VerificationFailure::bad_signature, .key_id = std::to_string(i), .is_key_known = true});
  }
  const auto values = values_of(metrics, "obol.verification.failures");
  EXPECT_EQ(values.size(), 200U);
  EXPECT_THAT(values, Contains(Pair("obol.verification.reason=bad_signature obol.key.id=unknown", 5000 - 195)));
}

TEST(StoreMetrics, CountsConnectionsFindingsAndFunctions) {
  StoreMetrics metrics;
  metrics.on_connection_opened({.server = "Valkey 9.1.2"});
  metrics.on_connection_opened({.server = "Valkey 9.1.2"});
  metrics.on_connection_closed({.reason = "its lifetime is over"});
  metrics.on_finding({.severity = Severity::warning, .topic = "persistence"});
  metrics.on_functions_loaded({.library = "obol_0"});
  metrics.on_call(call(Operation::get, CallOutcome::absent));
  metrics.on_call(failure(Operation::get, ErrorCode::pool_timeout));
  EXPECT_THAT(values_of(metrics, "obol.connection.opened"), ElementsAre(Pair("", 2)));
  EXPECT_THAT(values_of(metrics, "obol.connection.closed"), ElementsAre(Pair("", 1)));
  EXPECT_THAT(values_of(metrics, "db.client.connection.timeouts"), ElementsAre(Pair("", 1)));
  EXPECT_THAT(values_of(metrics, "obol.findings"),
              ElementsAre(Pair("obol.finding.severity=warning obol.finding.topic=persistence", 1)));
  EXPECT_THAT(values_of(metrics, "obol.functions.loaded"), ElementsAre(Pair("", 1)));
  EXPECT_THAT(values_of(metrics, "db.client.operation.duration"),
              Contains(Pair("db.system.name=valkey db.operation.name=get obol.outcome=absent", 1)));
}

TEST(StoreMetrics, ReadsPoolAndNearCacheWhereItWatches) {
  StoreMetrics metrics;
  EXPECT_THAT(values_of(metrics, "db.client.connection.count"), IsEmpty());
  EXPECT_THAT(values_of(metrics, "obol.near_cache.in_use"), IsEmpty());
  std::optional<StoreStatistics> statistics{
      {.pool =
           {.idle = 1, .used = 2, .waiting = 3, .maximum = 15, .opened = 5, .failed = 6, .in_flight = 13, .flights = 4},
       .near_cache = {.hits = 7, .misses = 8, .invalidations = 9, .evictions = 10, .sessions = 11, .bytes = 12}}};
  metrics.watch([&] { return statistics; });
  metrics.on_near_cache_changed({.is_in_use = true});
  EXPECT_THAT(values_of(metrics, "db.client.connection.count"),
              ElementsAre(Pair("db.client.connection.state=idle", 1), Pair("db.client.connection.state=used", 2)));
  EXPECT_THAT(values_of(metrics, "db.client.connection.pending_requests"), ElementsAre(Pair("", 3)));
  EXPECT_THAT(values_of(metrics, "db.client.connection.max"), ElementsAre(Pair("", 15)));
  EXPECT_THAT(values_of(metrics, "obol.connection.in_flight"), ElementsAre(Pair("", 13)));
  EXPECT_THAT(values_of(metrics, "obol.connection.flights"), ElementsAre(Pair("", 4)));
  EXPECT_THAT(values_of(metrics, "obol.connection.failures"), ElementsAre(Pair("", 6)));
  EXPECT_THAT(values_of(metrics, "obol.near_cache.lookups"),
              ElementsAre(Pair("obol.near_cache.result=hit", 7), Pair("obol.near_cache.result=miss", 8)));
  EXPECT_THAT(values_of(metrics, "obol.near_cache.invalidations"), ElementsAre(Pair("", 9)));
  EXPECT_THAT(values_of(metrics, "obol.near_cache.evictions"), ElementsAre(Pair("", 10)));
  EXPECT_THAT(values_of(metrics, "obol.near_cache.sessions"), ElementsAre(Pair("", 11)));
  EXPECT_THAT(values_of(metrics, "obol.near_cache.size"), ElementsAre(Pair("", 12)));
  EXPECT_THAT(values_of(metrics, "obol.near_cache.in_use"), ElementsAre(Pair("", 1)));
  statistics.reset();
  EXPECT_THAT(values_of(metrics, "db.client.connection.count"), IsEmpty());
  EXPECT_THAT(values_of(metrics, "obol.near_cache.lookups"), IsEmpty());
}

TEST(StoreMetrics, NamesTheStoreOnEveryPoint) {
  StoreMetrics metrics({.store_name = "sessions"});
  metrics.on_call(call(Operation::get, CallOutcome::found));
  metrics.watch([] { return StoreStatistics{}; });
  for (const auto& points : metrics.points()) {
    for (const auto& point : points) {
      const auto& last = point.attributes.back();
      EXPECT_EQ(last.name, "db.client.connection.pool.name");
      EXPECT_EQ(last.value, "sessions");
    }
  }
}

TEST(StoreMetrics, LosesNoCallOfManyThreads) {
  StoreMetrics metrics;
  constexpr std::uint64_t calls = 20'000;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (std::uint64_t n = 0; n < calls; ++n) metrics.on_call(call(Operation::get, CallOutcome::found_near));
      });
    }
    for (int n = 0; n < 20; ++n) (void)metrics.points();
  }
  EXPECT_THAT(values_of(metrics, "db.client.operation.duration"), ElementsAre(Pair(::testing::_, 4 * calls)));
}

TEST(ErrorNames, AreThoseOfTheEnumerators) {
  EXPECT_EQ(obol::to_string(ErrorCode::conflict), "conflict");
  EXPECT_EQ(obol::to_string(ErrorCode::gone), "gone");
  EXPECT_EQ(obol::to_string(ErrorCode::invalid_token), "invalid_token");
  EXPECT_EQ(obol::to_string(ErrorCode::pool_timeout), "pool_timeout");
  EXPECT_EQ(obol::to_string(ErrorCode::out_of_memory), "out_of_memory");
  EXPECT_EQ(obol::to_string(ErrorCode::closed), "closed");
  EXPECT_EQ(obol::to_string(ErrorCode::tls), "tls");
  EXPECT_EQ(obol::to_string(ErrorCode::too_many_sessions), "too_many_sessions");
  EXPECT_EQ(obol::to_string(ErrorCode::revoked), "revoked");
  EXPECT_EQ(obol::to_string(ErrorCode::internal), "internal");
  EXPECT_EQ(obol::to_string(ErrorCode::cancelled), "cancelled");
}

}}  // namespace obol::testing

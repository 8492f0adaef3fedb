// ObserverList: every event reaches every observer.
#include "obol/observer_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/recording_observer.hpp"

namespace obol::testing { namespace {

void tell_all(Observer& observer) {
  observer.on_call({});
  observer.on_created({});
  observer.on_refreshed({});
  observer.on_id_rotated({});
  observer.on_evicted({});
  observer.on_refused({});
  observer.on_deleted({});
  observer.on_deleted_all({});
  observer.on_conflict({});
  observer.on_gone({});
  observer.on_verification_failed({});
  observer.on_token_reused({});
  observer.on_finding({});
  observer.on_functions_loaded({});
  observer.on_near_cache_changed({});
  observer.on_connection_opened({});
  observer.on_connection_closed({});
}

TEST(ObserverList, PassesEveryEventToEveryObserver) {
  RecordingObserver alone;
  tell_all(alone);
  ASSERT_EQ(alone.lines().size(), 17U);
  const auto first = std::make_shared<RecordingObserver>();
  const auto second = std::make_shared<RecordingObserver>();
  ObserverList list({first, nullptr, second});
  tell_all(list);
  EXPECT_EQ(first->lines(), alone.lines());
  EXPECT_EQ(second->lines(), alone.lines());
}

}}  // namespace obol::testing

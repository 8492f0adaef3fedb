#include "redis/loop/inbox.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace obol::testing { namespace {

using redis::Errand;
using redis::Inbox;
using redis::Poller;

class KeptErrand final : public Errand {
 public:
  explicit KeptErrand(std::atomic<int>& living) : living_(living) { ++living_; }
  ~KeptErrand() override { --living_; }
  void work() noexcept override {}
  void take() override {}
  void fail(Error) noexcept override {}

 private:
  std::atomic<int>& living_;
};

class InboxTest : public ::testing::Test {
 protected:
  /// As a driver sees it.
  bool is_woken() const {
    pollfd waited{.fd = poller->descriptor(), .events = POLLIN, .revents = 0};
    return ::poll(&waited, 1, 0) == 1;
  }
  void sleep() {
    poller->next_events();
    inbox.rest([] {});
  }
  void put_errand() {
    inbox.put([this](Inbox::Content& content) {
      content.done.push_back(*new KeptErrand(living));
      return true;
    });
  }
  static bool close(Inbox::Content& content) {
    content.is_closed = true;
    return true;
  }

  std::shared_ptr<Poller> poller = *Poller::create();
  std::atomic<int> living{0};
  Inbox inbox{poller};
};

TEST_F(InboxTest, WakesTheDriverOnceForAllThatIsPutIn) {
  EXPECT_FALSE(is_woken());
  put_errand();
  EXPECT_TRUE(is_woken());
  poller->next_events();
  put_errand();
  EXPECT_FALSE(is_woken());
}

TEST_F(InboxTest, DoesNotWakeADriverThatWillLook) {
  inbox.attend();
  put_errand();
  EXPECT_FALSE(is_woken());
}

TEST_F(InboxTest, WakesADriverThatWentToRestWithoutHavingLooked) {
  inbox.attend();
  put_errand();
  sleep();
  EXPECT_TRUE(is_woken());
}

TEST_F(InboxTest, LetsADriverThatHasLookedRest) {
  inbox.attend();
  put_errand();
  auto content = inbox.take();
  sleep();
  EXPECT_FALSE(is_woken());
  const std::unique_ptr<Errand> taken(content.done.pop_front());
}

// A store may be closed while its driver is in the middle of a round.
TEST_F(InboxTest, WakesTheDriverForAClosingThatCameWhileItWasBusy) {
  inbox.attend();
  (void)inbox.take();
  inbox.put(close);
  sleep();
  EXPECT_TRUE(is_woken());
  EXPECT_TRUE(inbox.take().is_closed);
  sleep();
  EXPECT_FALSE(is_woken());
}

TEST_F(InboxTest, DoesNotWakeForAChangeThatNeedsNoLook) {
  inbox.put([](Inbox::Content&) { return false; });
  EXPECT_FALSE(is_woken());
}

TEST_F(InboxTest, SaysThatTheDriverRestsOnlyIfNothingHasCome) {
  int rests = 0;
  inbox.put(close);
  inbox.rest([&] { ++rests; });
  EXPECT_EQ(rests, 0);
  (void)inbox.take();
  inbox.rest([&] { ++rests; });
  EXPECT_EQ(rests, 1);
}

TEST_F(InboxTest, DestroysErrandsThatNobodyTook) {
  {
    Inbox other(poller);
    other.put([this](Inbox::Content& content) {
      content.done.push_back(*new KeptErrand(living));
      return true;
    });
    EXPECT_EQ(living, 1);
  }
  EXPECT_EQ(living, 0);
}

TEST_F(InboxTest, NeverLosesAWakeUpBetweenThreads) {
  constexpr int errands = 2000;
  std::thread other([this] {
    for (int i = 0; i < errands; ++i) put_errand();
  });
  int taken = 0;
  while (taken < errands) {
    pollfd waited{.fd = poller->descriptor(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&waited, 1, 30'000), 1) << "nobody woke the driver after " << taken;
    inbox.attend();
    poller->next_events();
    auto content = inbox.take();
    for (; Errand* const errand = content.done.pop_front(); ++taken) const std::unique_ptr<Errand> owned(errand);
    inbox.rest([] {});
  }
  other.join();
}

}}  // namespace obol::testing

// A store that is driven from Asio: when, in which thread, and how that ends.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <vector>

#include "asio/asked.hpp"
#include "asio/library.hpp"
#include "obol/handler_turn.hpp"
#include "support/scripted_store.hpp"

namespace obol::testing { namespace {

class AsioDriverTest : public ::testing::Test {
 protected:
  net::io_context context_;
  ScriptedStore store_;
  face::Store<> sessions_{store_, context_.get_executor()};
  std::optional<face::Driver> driver_{std::in_place, store_, context_.get_executor()};
};

TEST_F(AsioDriverTest, DrivesTheStoreRoundAfterRound) {
  int told = 0;
  const std::jthread ends([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) store_.end_all();
  });
  std::function<void(const Got&)> again = [&](const Got&) {
    if (++told == 1'000) return context_.stop();
    sessions_.get(key_of("a"), again);
  };
  sessions_.get(key_of("a"), again);  // Copies it.
  context_.run();
  EXPECT_EQ(told, 1'000);
}

// What the handlers of a turn begin is sent while the next ones run.
TEST_F(AsioDriverTest, DrivesTheStoreBetweenTheTurnsOfARound) {
  constexpr std::size_t calls = 32;
  constexpr auto in_turn = handlers_in_turn(calls);
  std::size_t driven = 0;
  std::vector<std::size_t> driven_before;
  for (std::size_t i = 0; i < calls; ++i) {
    sessions_.get(key_of("a"), [&](const Got&) {
      driven_before.push_back(driven);
      store_.get(key_of("b"), {}).start([&](const Got&) {
        if (++driven == calls) context_.stop();
      });
      store_.end_all();
    });
  }
  store_.end_all();
  context_.run();
  ASSERT_EQ(driven_before.size(), calls);
  for (std::size_t i = 0; i < calls; ++i) EXPECT_EQ(driven_before[i], i / in_turn * in_turn) << "handler " << i;
}

TEST_F(AsioDriverTest, RunReturnsOnceTheDriverHasEnded) {
  sessions_.get(key_of("a"), [&](const Got&) { driver_.reset(); });
  store_.end_all();
  context_.run();
  EXPECT_FALSE(driver_);
}

TEST_F(AsioDriverTest, MayEndInsideAHandlerThatTheDrivingThreadRuns) {
  store_.get(key_of("a"), {}).start([&](const Got&) { driver_.reset(); });
  store_.end_all();
  context_.run();
  EXPECT_FALSE(driver_);
}

TEST_F(AsioDriverTest, AnExceptionLeavesRunAndTheStoreIsDrivenOn) {
  bool is_told = false;
  store_.get(key_of("a"), {}).start([](const Got&) { throw std::runtime_error("of the handler"); });
  store_.get(key_of("b"), {}).start([&](const Got&) {
    is_told = true;
    driver_.reset();
  });
  store_.end_all();
  EXPECT_THROW(context_.run(), std::runtime_error);
  EXPECT_FALSE(is_told);
  context_.run();
  EXPECT_TRUE(is_told);
}

bool is_open(int descriptor) { return fcntl(descriptor, F_GETFD) != -1; }

TEST_F(AsioDriverTest, LeavesTheDescriptorToTheStore) {
  driver_.reset();
  EXPECT_TRUE(is_open(store_.descriptor()));
  context_.run();
  EXPECT_TRUE(is_open(store_.descriptor()));
}

TEST_F(AsioDriverTest, ASecondOneOfAContextIsRefusedAndClosesNothing) {
  EXPECT_ANY_THROW(face::Driver(store_, context_.get_executor()));
  EXPECT_TRUE(is_open(store_.descriptor()));
  driver_.reset();
  const face::Driver another(store_, context_.get_executor());
}

TEST_F(AsioDriverTest, MayEndUndrivenBeforeItsContext) {
  sessions_.get(key_of("a"), [](const Got&) {});
  store_.end_all();
  driver_.reset();
}

TEST_F(AsioDriverTest, EndsWhileOtherThreadsRunTheContext) {
  for (int i = 0; i < 200; ++i) {
    {
      const std::jthread one([&] { context_.run(); });
      const std::jthread another([&] { context_.run(); });
      sessions_.get(key_of("a"), [](const Got&) {});
      store_.end_all();
      driver_.reset();
      // What the driver no longer hands out.
      store_.run_ready();
    }
    context_.restart();
    driver_.emplace(store_, context_.get_executor());
  }
  EXPECT_FALSE(store_.was_driven_by_two_threads());
}

TEST_F(AsioDriverTest, NoTwoThreadsDriveAtATime) {
  std::atomic<int> told = 0;
  {
    const std::jthread one([&] { context_.run(); });
    const std::jthread another([&] { context_.run(); });
    for (int i = 0; i < 1'000; ++i) {
      store_.get(key_of("a"), {}).start([&](const Got&) {
        if (++told == 1'000) context_.stop();
      });
      store_.end_all();
    }
  }
  EXPECT_EQ(told, 1'000);
  EXPECT_FALSE(store_.was_driven_by_two_threads());
}

}}  // namespace obol::testing

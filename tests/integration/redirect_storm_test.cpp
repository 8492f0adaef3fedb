// A cluster that sends every command away: each call ends by its deadline, and asks only now and then.
#include <chrono>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

#include "support/await.hpp"
#include "support/fault_proxy.hpp"
#include "support/store_calls.hpp"
#include "support/test_cluster.hpp"
#include "support/tested_store.hpp"

namespace obol::testing { namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// One primary, which announces the port of a proxy as its own, so that stores know it by no other way.
class RedirectStorm {
 protected:
  explicit RedirectStorm(StoreOnServer place) : store_(place.store), cluster(place.server, layout()) {
    const auto port = std::to_string(proxy.tcp_connection().port);
    cluster.command(0, {"CONFIG", "SET", "cluster-announce-port", port});
    await("the port to be announced", [&] {
      const auto slots = cluster.command(0, {"CLUSTER", "SLOTS"});
      return std::to_string(slots.elements.at(0).elements.at(2).elements.at(1).integer) == port;
    });
  }

  TestedStore store_with(const Timeouts& timeouts) {
    ConnectionOptions connection;
    connection.cluster.seeds = {{.host = "127.0.0.1", .port = proxy.tcp_connection().port}};
    auto options = options_for(connection);
    options.timeouts = timeouts;
    return {store_, options};
  }

  /// A refusal as a cluster's node sends it; `{}` stands for the node itself.
  Fault refusal(std::string text) const {
    const std::string_view itself = "{}";
    if (const auto at = text.find(itself); at != std::string::npos) {
      text.replace(at, itself.size(), "127.0.0.1:" + std::to_string(proxy.tcp_connection().port));
    }
    return Fault::refuse(text);
  }

 private:
  static ClusterLayout layout() { return {.primaries = 1, .replicas_each = 0}; }

  const StoreKind store_;

 protected:
  TestCluster cluster;
  FaultProxy proxy{cluster.server(0)};
};

struct Refusal {
  std::string name;
  std::string text;
  bool is_for_good = false;  ///< It is not worth another attempt.
};

std::vector<Refusal> refusals() {
  return {{.name = "MovedToItself", .text = "MOVED 1 {}"},
          {.name = "AskedOfItself", .text = "ASK 1 {}"},
          {.name = "MovedToNobody", .text = "MOVED 1 127.0.0.1:1"},
          {.name = "MovedNowhere", .text = "MOVED 16384 nowhere", .is_for_good = true},
          {.name = "TryAgain", .text = "TRYAGAIN Multiple keys request during rehashing of slot"},
          {.name = "ClusterDown", .text = "CLUSTERDOWN The cluster is down"}};
}

class RedirectStormThatGoesOn : public ::testing::TestWithParam<std::tuple<StoreOnServer, Refusal>>,
                                protected RedirectStorm {
 protected:
  RedirectStormThatGoesOn() : RedirectStorm(std::get<StoreOnServer>(GetParam())) {}
};

TEST_P(RedirectStormThatGoesOn, EndsEveryCallByItsDeadlineAfterFewAttempts) {
  constexpr Timeouts hurried{.connect = milliseconds(500), .command = milliseconds(500), .total = milliseconds(800)};
  constexpr std::size_t most_attempts = 40;
  const auto& refused = std::get<Refusal>(GetParam());
  auto store = store_with(hurried);
  ASSERT_TRUE(comes_to_work(store));
  proxy.always(refusal(refused.text));
  const auto before = proxy.faults();
  const auto outcomes = make_all_calls(store);
  EXPECT_LT(proxy.faults() - before, outcomes.size() * (refused.is_for_good ? 3 : most_attempts));
  for (const auto& outcome : outcomes) {
    EXPECT_TRUE(outcome.code) << outcome.call;
    EXPECT_EQ(outcome.code == ErrorCode::unsupported_server, refused.is_for_good)
        << outcome.call << ": " << outcome.message;
    EXPECT_LT(outcome.took, seconds(10)) << outcome.call;
  }
  proxy.heal();
  EXPECT_TRUE(comes_to_work(store));
}

INSTANTIATE_TEST_SUITE_P(On, RedirectStormThatGoesOn,
                         ::testing::Combine(::testing::ValuesIn(all_stores_once()), ::testing::ValuesIn(refusals())),
                         [](const auto& parameter) {
                           return name_of(std::get<StoreOnServer>(parameter.param)) + "_" +
                                  std::get<Refusal>(parameter.param).name;
                         });

class RedirectStormThatPasses : public ::testing::TestWithParam<StoreOnServer>, protected RedirectStorm {
 protected:
  RedirectStormThatPasses() : RedirectStorm(GetParam()) {}
};

TEST_P(RedirectStormThatPasses, GivesEveryCallerItsOwn) {
  auto store = store_with(ample_timeouts);
  proxy.follow([&, count = 0](std::string_view word) mutable {
    if (!FaultProxy::is_store_command(word)) return Fault{};
    switch (++count % 4) {
      case 0:
        return refusal("MOVED 1 {}");
      case 1:
        return refusal("ASK 1 {}");
      default:
        return Fault{};
    }
  });
  std::vector<std::jthread> callers;
  for (int caller = 0; caller < 16; ++caller) {
    callers.emplace_back([&store, name = std::to_string(caller)] {
      auto session = new_session(name, name);
      for (int round = 0; round < 10; ++round) {
        const auto stored = store.upsert(session);
        ASSERT_TRUE(stored.has_value()) << stored.error().message;
        const auto found = store.get(session.key());
        ASSERT_TRUE(found.has_value()) << found.error().message;
        EXPECT_EQ(*found, session);
      }
    });
  }
  callers.clear();
  EXPECT_GT(proxy.faults(), 100U);
}

OBOL_ON_STORES(RedirectStormThatPasses, all_stores());

}}  // namespace obol::testing

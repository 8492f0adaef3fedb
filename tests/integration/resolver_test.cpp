// A name server that hangs holds nobody: getaddrinfo(3) is replaced in this program for names ending in ".hangs". Each
// test has a name of its own: the thread of a lookup that nobody waits for any more may come late, in a later test.
#include "redis/net/resolver.hpp"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <string_view>
#include <thread>

#include "base/name_lookup.hpp"
#include "support/await.hpp"
#include "support/child.hpp"
#include "support/sanitizers.hpp"
#include "support/sessions.hpp"

namespace {

std::atomic<bool> hanging = true;
std::atomic<int> lookups = 0;
std::atomic<int> tests = 0;

std::string name_of_this_test() { return "name" + std::to_string(tests) + ".hangs"; }

}  // namespace

extern "C" int getaddrinfo(const char* host, const char* service, const addrinfo* hints, addrinfo** found) {
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto original = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  const bool asks_name_server = (hints->ai_flags & AI_NUMERICHOST) == 0;
  if (asks_name_server && std::string_view(host).ends_with(".hangs")) {
    if (host == name_of_this_test()) {
      ++lookups;
      hanging.wait(true);
    }
    return original("127.0.0.1", service, hints, found);
  }
  return original(host, service, hints, found);
}

namespace obol::testing { namespace {

using redis::Deadline;
using std::chrono::milliseconds;

class HangingNames : public ::testing::Test {
 protected:
  HangingNames() {
    ++tests;
    name = name_of_this_test();
    hanging = true;
    lookups = 0;
  }
  ~HangingNames() override {
    hanging = false;
    hanging.notify_all();
  }

  std::string name;
};

TEST_F(HangingNames, HoldNoCallerPastItsDeadline) {
  redis::Resolver resolver(name, 6379);
  const auto start = Deadline::Time::now();
  const auto answer = resolver.resolve(Deadline::after(milliseconds(50)));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::timeout);
  EXPECT_LT(Deadline::Time::now() - start, milliseconds(10'000));
}

TEST_F(HangingNames, CostOneLookupHoweverManyCallersGiveUp) {
  redis::Resolver resolver(name, 6379);
  std::vector<std::jthread> callers;
  for (int i = 0; i < 20; ++i) {
    callers.emplace_back([&] { EXPECT_FALSE(resolver.resolve(Deadline::after(milliseconds(50))).has_value()); });
  }
  callers.clear();
  await("the lookup", [] { return lookups > 0; });
  EXPECT_EQ(lookups, 1);
}

TEST_F(HangingNames, AreAskedAnewOnceTheyAnswer) {
  redis::Resolver resolver(name, 6379);
  EXPECT_FALSE(resolver.resolve(Deadline::after(milliseconds(10))).has_value());
  hanging = false;
  hanging.notify_all();
  EXPECT_TRUE(resolver.resolve(Deadline::after(milliseconds(10'000))).has_value());
  lookups = 0;
  EXPECT_TRUE(resolver.resolve(Deadline::after(milliseconds(10'000))).has_value());
  EXPECT_EQ(lookups, 1);
}

TEST_F(HangingNames, AreNotAskedWhileAForkHoldsLookupsOff) {
  hanging = false;
  redis::Resolver resolver(name, 6379);
  NameLookup::hold_off();
  EXPECT_FALSE(resolver.resolve(Deadline::after(milliseconds(50))).has_value());
  EXPECT_EQ(lookups, 0);
  NameLookup::let_in();
  EXPECT_TRUE(resolver.resolve(Deadline::after(milliseconds(60'000))).has_value());
}

// ThreadSanitizer ends a child of a process with threads when it starts one.
#if !OBOL_THREAD_SANITIZER
TEST_F(HangingNames, AreAskedAnewInAForkedChild) {
  redis::Resolver resolver(name, 6379);
  const std::jthread waiting([&] { EXPECT_TRUE(resolver.resolve(Deadline::after(milliseconds(60'000))).has_value()); });
  await("the lookup", [] { return lookups > 0; });
  EXPECT_EQ(run_in_child([&] {
              hanging = false;
              return resolver.resolve(Deadline::after(milliseconds(30'000))).has_value();
            }),
            "");
  hanging = false;
  hanging.notify_all();
}
#endif

TEST_F(HangingNames, MakeConnectUnavailableSinceNothingWasSent) {
  RedisStoreOptions options;
  options.connection.host = name;
  options.keyring = Keyring(signing_key());
  options.timeouts.connect = milliseconds(50);
  const auto start = Deadline::Time::now();
  EXPECT_EQ(RedisStore::connect(options).error().code, ErrorCode::unavailable);
  EXPECT_LT(Deadline::Time::now() - start, milliseconds(10'000));
}

}}  // namespace obol::testing

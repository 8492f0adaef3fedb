// A host whose process ends while its store lives, in the way that its first word says. Ends with 0 if all was well.
// Run by exit_test.cpp.
#include <openssl/crypto.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/background_tasks.hpp"
#include "obol/async_redis_store.hpp"
#include "obol/background_driver.hpp"
#include "obol/redis_store.hpp"
#include "obol/session_id.hpp"
#include "obol/session_watch.hpp"
#include "redis/connection/dialer.hpp"
#include "support/sessions.hpp"

namespace {

bool is_child = false;

}  // namespace

// LeakSanitizer's hook: a child cannot free what belonged to the threads of its parent.
extern "C" int __lsan_is_turned_off() { return is_child ? 1 : 0; }

namespace {

using obol::testing::new_session;

bool static_store_is_gone = false;

/// Destroyed right after the store.
struct BehindStaticStore {
  BehindStaticStore() = default;
  BehindStaticStore(const BehindStaticStore&) = delete;
  BehindStaticStore& operator=(const BehindStaticStore&) = delete;
  ~BehindStaticStore() { static_store_is_gone = true; }
} behind_static_store;

/// Destroyed after main, and after everything that was made in main.
std::optional<obol::RedisStore> static_store;

/// The same, for a host that watches sessions; the handle goes first.
std::optional<obol::SessionWatch> static_watch;
std::optional<obol::WatchHandle> static_handle;

/// The same, for a host that makes asynchronous calls; the driver goes first.
std::optional<obol::AsyncRedisStore> static_async_store;
std::optional<obol::BackgroundDriver> static_driver;

obol::RedisStore* leaked_store = nullptr;
obol::AsyncRedisStore* leaked_async_store = nullptr;
obol::SessionWatch* leaked_watch = nullptr;
const obol::WatchHandle* volatile leaked_handle = nullptr;
// Kept where a leak checker finds it, also if a compiler sees that nobody reads it.
const obol::BackgroundDriver* volatile leaked_driver = nullptr;

void die(std::string_view why) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(why.size()), why.data());
  std::_Exit(1);
}

/// Called as OpenSSL begins its clean-up. A store that goes on beside it crashes only by chance.
void expect_no_store_in_use() {
  if (leaked_async_store != nullptr) {
    if (leaked_async_store->another()) die("OpenSSL ends before a leaked asynchronous store is closed");
    return;
  }
  if (leaked_watch != nullptr) {
    const auto watched = leaked_watch->watch(new_session().key(), [](const auto&) {});
    if (watched || watched.error().code != obol::ErrorCode::closed) die("OpenSSL ends before a watch is closed");
    return;
  }
  if (leaked_store == nullptr) {
    if (!static_store_is_gone) die("OpenSSL ends before a static store is destroyed");
    return;
  }
  const auto found = leaked_store->get(new_session().key());
  if (found || found.error().code != obol::ErrorCode::closed) die("OpenSSL ends before a leaked store is closed");
}

void use(obol::RedisStore& store) {
  auto session = new_session("user", obol::generate_session_id().value());
  if (!store.upsert(session) || store.get(session.key()).value() != session) die("the store does not work");
  if (!store.delete_one(session.key())) die("the store does not delete");
}

/// Takes its time to end, and uses the store meanwhile, as logs and caches of a host do.
struct LastUser {
  bool is_on = false;
  LastUser() = default;
  LastUser(const LastUser&) = delete;
  LastUser& operator=(const LastUser&) = delete;
  ~LastUser() {
    if (!is_on) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    use(*static_store);
  }
} last_user;

void call_on_and_on(obol::RedisStore& store) {
  static std::atomic<int> callers_at_work{0};
  for (int i = 0; i < 8; ++i) {
    std::thread([&store] {
      const auto key = new_session().key();
      for (bool is_first = true;; is_first = false) {
        const auto found = store.get(key);
        if (!found && found.error().code != obol::ErrorCode::closed) die(found.error().message);
        if (is_first) ++callers_at_work;
      }
    }).detach();
  }
  while (callers_at_work < 8) std::this_thread::yield();
}

/// Opens and closes connections in background tasks, until OpenSSL is closed to them.
void dial_on_and_on(const obol::ConnectionOptions& options) {
  static auto& dialer = *new obol::redis::Dialer(options, std::size_t{1} << 20U);  // Never destroyed.
  static std::atomic<int> dials{0};
  for (int i = 0; i < 4; ++i) {
    obol::BackgroundTasks::start([] {
      for (;;) {
        const auto made = dialer.dial(obol::redis::Deadline::after(std::chrono::seconds(30)));
        if (!made) die(made.error().message);
        ++dials;
      }
    });
  }
  while (dials < 8) std::this_thread::yield();
}

/// Ends the process from within a call.
struct Ending final : obol::Observer {
  void on_deleted(const obol::SessionEvent&) noexcept override { std::exit(0); }
};

void get_on_and_on(obol::AsyncRedisStore& store) {
  store.get(new_session().key()).start([&store](const auto& found) {
    if (found) return get_on_and_on(store);
    if (found.error().code != obol::ErrorCode::closed) die(found.error().message);
  });
}

/// While its driver and then the store are destroyed.
int run_static_async(obol::AsyncRedisStore store) {
  static_async_store = std::move(store);
  static_driver.emplace(*static_async_store);
  for (int i = 0; i < 8; ++i) get_on_and_on(*static_async_store);
  return static_async_store->get(new_session().key()).wait() ? 0 : 1;
}

/// The store and its driver are never destroyed, unless they are static.
int run_async(std::string_view way, obol::RedisStoreOptions options) {
  // A handler that ends the process is not waited for.
  if (way != "async") options.timeouts.total = std::chrono::hours(1);
  auto made = obol::AsyncRedisStore::connect(std::move(options));
  if (!made) die(made.error().message);
  if (way == "async-static") return run_static_async(std::move(*made));
  static auto& store = *new obol::AsyncRedisStore(std::move(*made));
  leaked_async_store = &store;
  leaked_driver = new obol::BackgroundDriver(store);
  if (!store.get(new_session().key()).wait()) die("the store does not work");
  for (int i = 0; i < 8; ++i) get_on_and_on(store);
  if (way == "async") return 0;
  store.get(new_session().key()).start([](const auto&) { std::exit(0); });
  for (;;) ::pause();
}

void expect_live(const obol::SessionWatch& watch) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (watch.statistics().reads == 0) {
    if (std::chrono::steady_clock::now() > give_up) die("the watch reads nothing");
    std::this_thread::yield();
  }
}

/// The watch and its handle are never destroyed, unless they are static.
int run_watch(std::string_view way, const obol::RedisStoreOptions& options) {
  auto made = obol::RedisStore::connect(options);
  if (!made) die(made.error().message);
  auto session = new_session("user", obol::generate_session_id().value());
  if (!made->upsert(session)) die("the store does not work");
  auto watching = obol::SessionWatch::connect(options);
  if (!watching) die(watching.error().message);
  const bool ends_in_handler = way == "watch-in-a-handler";
  auto handler = [ends_in_handler](const obol::SessionWatchEvent&) {
    if (ends_in_handler) std::exit(0);
  };
  auto handle = watching->watch(session.key(), handler);
  if (!handle) die(handle.error().message);
  expect_live(*watching);
  if (way == "watch-static") {
    static_watch = std::move(*watching);
    static_handle = std::move(*handle);
    return 0;
  }
  leaked_watch = new obol::SessionWatch(std::move(*watching));
  leaked_handle = new obol::WatchHandle(std::move(*handle));
  if (!ends_in_handler) return 0;
  if (!made->delete_one(session.key())) die("the store does not delete");
  for (;;) ::pause();
}

int run(std::string_view way, obol::RedisStoreOptions options) {
  if (way == "in-a-call") options.observer = std::make_shared<Ending>();
  if (::OPENSSL_atexit(expect_no_store_in_use) != 1) die("OpenSSL calls nothing at its end");
  if (way.starts_with("watch")) return run_watch(way, options);
  if (way.starts_with("async")) return run_async(way, std::move(options));
  const auto connection = options.connection;
  auto made = obol::RedisStore::connect(std::move(options));
  if (!made) die(made.error().message);
  if (way == "static") {
    static_store = std::move(*made);
    use(*static_store);
    last_user.is_on = true;
    return 0;
  }
  // Never destroyed.
  static auto& store = *new obol::RedisStore(std::move(*made));
  use(store);
  if (way != "child") leaked_store = &store;
  if (way == "leaked") {
    call_on_and_on(store);
    return 0;
  }
  if (way == "dials") {
    dial_on_and_on(connection);
    return 0;
  }
  if (way == "second-thread") {
    call_on_and_on(store);
    std::thread([] { std::exit(0); }).join();
  }
  if (way == "child") {
    static_store = std::move(store);
    const auto child = ::fork();
    if (child == 0) {
      is_child = true;
      use(*static_store);
      std::exit(0);
    }
    int status = -1;
    if (::waitpid(child, &status, 0) != child || status != 0) die("the child did not end well");
    use(*static_store);
    return 0;
  }
  return 2;
}

}  // namespace

int main(int count, char** arguments) {
  const std::span words(arguments, static_cast<std::size_t>(count));
  if (words.size() != 4) return 2;
  obol::RedisStoreOptions options;
  options.connection = obol::ConnectionOptions::from_uri(words[2]).value();
  options.keyring = obol::Keyring(obol::testing::signing_key());
  options.encryption = obol::Encryption::require;
  options.near_cache.enabled = std::string_view(words[3]) == "near-cache";
  // A call that ends the process is waited for until its time is over.
  const std::chrono::seconds time(std::string_view(words[1]) == "in-a-call" ? 3 : 30);
  options.timeouts = {.connect = time, .command = time, .total = time};
  return run(words[1], std::move(options));
}

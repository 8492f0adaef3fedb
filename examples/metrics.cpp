// A store under load whose metrics Prometheus can scrape: logins, refreshes, races, logouts, watched sessions, and a
// forger.
// Usage: metrics redis://host:port | unix:///path     Prints the address of the metrics; SIGINT or SIGTERM ends it.
#include <fmt/core.h>
#include <prometheus/exposer.h>
#include <pthread.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <random>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "obol/metrics/prometheus.hpp"
#include "obol/obol.hpp"

namespace {

using obol::Session;
using std::chrono::milliseconds;

template <class T>
T value_or_exit(obol::Result<T> result, std::string_view what) {
  if (result) return std::move(*result);
  fmt::print(stderr, "{}: {}\n", what, result.error().message);
  std::exit(1);
}

obol::SigningKey random_key(std::string_view id) {
  const auto bytes = value_or_exit(obol::generate_session_id(), "no randomness") +
                     value_or_exit(obol::generate_session_id(), "no randomness");
  return value_or_exit(obol::SigningKey::from_bytes(bytes, id), "no key");
}

obol::RedisStoreOptions options_for(const char* uri, const obol::SigningKey& key,
                                    std::shared_ptr<obol::Observer> observer) {
  return {.connection = value_or_exit(obol::ConnectionOptions::from_uri(uri), "bad address"),
          .pool = {.size = 2, .max_overflow = 2, .lifetime_limit = milliseconds(2000)},  // Short, so that it shows.
          .keyring = obol::Keyring(key),
          .policy = {.max_sessions = 4, .revocation_mark_lifetime = std::chrono::seconds(60)},
          .near_cache = {.enabled = true},
          .observer = std::move(observer)};
}

obol::RedisStore open_store(obol::RedisStoreOptions options) {
  return value_or_exit(obol::RedisStore::connect(std::move(options)), "no store");
}

// Serves one user at a time, as a thread of a web server does. It ignores failures: the metrics show them.
class Visitor {
 public:
  Visitor(obol::RedisStore& store, obol::RedisStore& forger, obol::SessionWatch& watch)
      : store_(store), forger_(forger), watch_(watch) {}

  void visit() {
    const std::string user = "user-" + std::to_string(below(40));
    Session session = new_session(user);
    if (!store_.upsert(session)) return;
    open_page(session);
    for (int i = 0; i < 8; ++i) (void)store_.get(session.key());
    race(session);
    if (below(4) == 0) (void)store_.rotate_id(session);
    if (below(4) == 0) list(user);
    if (below(8) == 0) (void)store_.delete_others(session.key());
    if (below(8) == 0) log_out_everywhere(user);
    if (below(8) == 0) forge(user);
    if (below(2) == 0) log_out(session);
  }

 private:
  static Session new_session(const std::string& user) {
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    return {.id = value_or_exit(obol::generate_session_id(), "no session id"),
            .user_id = user,
            .created_at = now,
            .refreshed_at = now,
            .refresh_expires_at = now + std::chrono::hours(1)};
  }

  // A page with an event stream, such as examples/auth_server has. The oldest of a few is closed.
  void open_page(const Session& session) {
    if (auto handle = watch_.watch(session.key(), [](const obol::SessionWatchEvent&) {})) {
      pages_.push_back(std::move(*handle));
    }
    if (pages_.size() > 8) pages_.pop_front();
  }

  // Two tabs refresh; one of them loses.
  void race(Session& session) {
    Session other_tab = session;
    (void)store_.upsert(session);
    if (below(3) == 0) (void)store_.upsert(other_tab);
  }

  void list(const std::string& user) {
    std::vector<obol::SessionKey> keys;
    if (const auto sessions = store_.get_all(user, "full")) {
      for (const auto& session : *sessions) keys.push_back(session.key());
    }
    (void)store_.get_many(keys);
  }

  // The policy refuses a login that was in progress meanwhile.
  void log_out_everywhere(const std::string& user) {
    Session under_way = new_session(user);
    (void)store_.delete_all(user, "full");
    (void)store_.upsert(under_way);
  }

  // A late refresh finds no session.
  void log_out(Session& session) {
    (void)store_.delete_one(session.key());
    if (below(3) == 0) (void)store_.upsert(session);
  }

  // A forger knows the id of the key, but not the key.
  void forge(const std::string& user) {
    Session forged = new_session(user + "-forged");
    if (forger_.upsert(forged)) (void)store_.get(forged.key());
  }

  int below(int end) { return std::uniform_int_distribution(0, end - 1)(random_); }

  obol::RedisStore& store_;
  obol::RedisStore& forger_;
  obol::SessionWatch& watch_;
  std::deque<obol::WatchHandle> pages_;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count != 2 || std::string_view(arguments[1]).starts_with('-')) {
    fmt::print("usage: metrics redis://host:port | unix:///path\n");
    return argument_count == 2 ? 0 : 1;
  }
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGINT);
  sigaddset(&ending, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);

  const auto metrics = std::make_shared<obol::PrometheusMetrics>();
  const auto options = options_for(arguments[1], random_key("2026-11"), metrics);
  auto store = open_store(options);
  auto watch = value_or_exit(obol::SessionWatch::connect(options), "no watch");
  metrics->watch(store.statistics_source());
  metrics->watch(watch.statistics_source());
  auto forger = open_store(options_for(arguments[1], random_key("2026-11"), nullptr));

  prometheus::Exposer exposer("127.0.0.1:0");
  exposer.RegisterCollectable(metrics);
  fmt::print("http://127.0.0.1:{}/metrics\n", exposer.GetListeningPorts().front());
  std::fflush(stdout);

  std::vector<std::jthread> threads;
  threads.reserve(8);
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&store, &forger, &watch](const std::stop_token& stop) {
      for (Visitor visitor(store, forger, watch); !stop.stop_requested();
           std::this_thread::sleep_for(milliseconds(20))) {
        visitor.visit();
      }
    });
  }
  int signal = 0;
  sigwait(&ending, &signal);
  return 0;
}

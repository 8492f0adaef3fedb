// A store on libuv's loop: three users log in, are looked up and log out, all at once.
// Usage: obol_libuv [redis://host:port | unix:///path]
#include <uv.h>

#include <cstdlib>
#include <expected>
#include <optional>
#include <string>
#include <utility>

#include "store_of.hpp"

namespace {

void check(int status) {
  if (status == 0) return;
  fmt::print(stderr, "libuv: {}\n", uv_strerror(status));
  std::exit(1);
}

/// Watches the store's descriptor. Handlers of calls run in the loop's thread.
class StoreWatch {
 public:
  StoreWatch(uv_loop_t& loop, obol::AsyncSessionStore& store) : store_(store) {
    check(uv_poll_init(&loop, &poll_, store.descriptor()));
    poll_.data = this;
    check(uv_poll_start(&poll_, UV_READABLE,
                        [](uv_poll_t* poll, int, int) { static_cast<StoreWatch*>(poll->data)->store_.run_ready(); }));
  }
  StoreWatch(const StoreWatch&) = delete;
  StoreWatch& operator=(const StoreWatch&) = delete;
  ~StoreWatch() = default;

  /// Lets uv_run() return. The loop must run once more before this is destroyed.
  void close() { uv_close(reinterpret_cast<uv_handle_t*>(&poll_), nullptr); }

 private:
  obol::AsyncSessionStore& store_;
  uv_poll_t poll_{};
};

/// One user's visit, a call after the other.
class Visit {
 public:
  Visit(obol::AsyncSessionStore& store, std::string user, int& visits_left, StoreWatch& watch)
      : store_(store), user_(std::move(user)), visits_left_(visits_left), watch_(watch) {}

  void log_in() {
    store_.upsert(example::new_session(user_))
        .start([this](std::expected<obol::UpsertedSession, obol::UpsertError> stored) {
          look_up(example::value_or_exit(std::move(stored), "login failed").session.key());
        });
  }

 private:
  void look_up(const obol::SessionKey& key) {
    store_.get(key).start([this, key](obol::Result<std::optional<obol::Session>> found) {
      const auto session = example::value_or_exit(std::move(found), "no answer");
      fmt::print("{} is {}\n", user_, session ? "logged in" : "unknown");
      log_out(key);
    });
  }

  void log_out(const obol::SessionKey& key) {
    store_.delete_one(key).start([this](obol::Result<obol::Deleted> deleted) {
      example::value_or_exit(std::move(deleted), "logout failed");
      fmt::print("{} logged out\n", user_);
      if (--visits_left_ == 0) watch_.close();
    });
  }

  obol::AsyncSessionStore& store_;
  std::string user_;
  int& visits_left_;
  StoreWatch& watch_;
};

}  // namespace

int main(int argument_count, char** arguments) {
  const auto store = example::store_of(argument_count, arguments);
  uv_loop_t loop;
  check(uv_loop_init(&loop));
  StoreWatch watch(loop, *store);
  int visits_left = 3;
  Visit ann(*store, "ann", visits_left, watch);
  Visit ben(*store, "ben", visits_left, watch);
  Visit cleo(*store, "cleo", visits_left, watch);
  for (Visit* const visit : {&ann, &ben, &cleo}) visit->log_in();
  uv_run(&loop, UV_RUN_DEFAULT);
  check(uv_loop_close(&loop));
}

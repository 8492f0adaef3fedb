// A store on an event loop of the program's own: epoll, and C++20 coroutines without any library. Three users log in,
// are looked up and log out, all at once.
// Usage: obol_coroutine_loop [redis://host:port | unix:///path]
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <coroutine>
#include <exception>
#include <functional>
#include <string>
#include <system_error>
#include <utility>

#include "store_of.hpp"

namespace {

/// Calls a function whenever a descriptor is readable.
class Loop {
 public:
  Loop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (epoll_ == -1) fail("epoll_create1");
  }
  ~Loop() { close(epoll_); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// The function must outlive the loop.
  void watch(int descriptor, std::function<void()>& when_readable) const {
    epoll_event event{.events = EPOLLIN, .data = {.ptr = &when_readable}};
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) == -1) {
      fail("epoll_ctl");
    }
  }

  /// Runs while there is something to do.
  template <class Condition>
  void run_while(Condition condition) const {
    while (condition()) {
      epoll_event event{};
      if (epoll_wait(epoll_, &event, 1, -1) == 1) (*static_cast<std::function<void()>*>(event.data.ptr))();
    }
  }

 private:
  [[noreturn]] static void fail(const char* what) {
    const std::error_code code(errno, std::generic_category());
    example::fail(what, {.code = code, .message = "the operating system refused"});
  }

  const int epoll_;
};

/// A coroutine that begins at once and that nobody waits for.
struct Detached {
  struct Promise {
    Detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
  };
  using promise_type = Promise;
};

Detached visit(obol::AsyncSessionStore& store, std::string user, int& visits_left) {
  const auto stored = example::value_or_exit(co_await store.upsert(example::new_session(user)), "login failed");
  const auto key = stored.session.key();
  const auto found = example::value_or_exit(co_await store.get(key), "no answer");
  fmt::print("{} is {}\n", user, found ? "logged in" : "unknown");
  example::value_or_exit(co_await store.delete_one(key), "logout failed");
  fmt::print("{} logged out\n", user);
  --visits_left;
}

}  // namespace

int main(int argument_count, char** arguments) {
  const auto store = example::store_of(argument_count, arguments);
  const Loop loop;
  std::function<void()> drive = [&] { store->run_ready(); };
  loop.watch(store->descriptor(), drive);
  int visits_left = 3;
  for (const auto* const user : {"ann", "ben", "cleo"}) visit(*store, user, visits_left);
  loop.run_while([&] { return visits_left > 0; });
}

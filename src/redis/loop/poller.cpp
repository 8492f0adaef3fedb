#include "redis/loop/poller.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "redis/net/open_sockets.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

Error refused(const char* what) {
  return {ErrorCode::internal, std::string(what) + ": " + std::generic_category().message(errno)};
}

}  // namespace

// Wake-up and timer are edge-triggered, so that neither need be read.
Result<std::unique_ptr<Poller>> Poller::create() {
  std::unique_ptr<Poller> poller(new Poller);
  poller->generation_ = socket_generation();
  poller->events_.reserve(most_events);
  poller->set_ = list_descriptor([] { return ::epoll_create1(EPOLL_CLOEXEC); });
  poller->wake_ = list_descriptor([] { return ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); });
  poller->timer_ = list_descriptor([] { return ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC); });
  for (const int descriptor : {poller->wake_, poller->timer_}) {
    epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.ptr = nullptr}};
    if (::epoll_ctl(poller->set_, EPOLL_CTL_ADD, descriptor, &event) != 0) {
      return std::unexpected(refused("cannot watch descriptors; raise the limit of open files"));
    }
  }
  return poller;
}

Poller::~Poller() {
  for (const int descriptor : {timer_, wake_, set_}) {
    if (descriptor >= 0) close_socket(descriptor, generation_);
  }
}

std::span<const Poller::Event> Poller::next_events() {
  std::array<epoll_event, most_events> events{};
  const int count = ::epoll_wait(set_, events.data(), static_cast<int>(events.size()), 0);
  events_.clear();
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    events_.push_back({.source = event.data.ptr,
                       .is_readable = (event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0,
                       .is_writable = (event.events & EPOLLOUT) != 0});
  }
  return events_;
}

Result<void> Poller::watch(int socket, void* source, bool for_writing) {
  if (control(EPOLL_CTL_ADD, socket, source, for_writing) == 0) return {};
  return std::unexpected(refused("cannot watch a socket"));
}

void Poller::change(int socket, void* source, bool for_writing) noexcept {
  control(EPOLL_CTL_MOD, socket, source, for_writing);
}

void Poller::forget(int socket) noexcept { control(EPOLL_CTL_DEL, socket, nullptr, false); }

// A child that were to change the set would change the parent's.
int Poller::control(int operation, int socket, void* source, bool for_writing) noexcept {
  if (is_of_parent()) return -1;
  epoll_event event{.events = EPOLLIN | (for_writing ? static_cast<std::uint32_t>(EPOLLOUT) : 0U),
                    .data = {.ptr = source}};
  return ::epoll_ctl(set_, operation, socket, &event);
}

void Poller::wake() const noexcept {
  if (!is_of_parent()) ::eventfd_write(wake_, 1);
}

void Poller::set_timer(Deadline::Time::time_point time) noexcept {
  if (is_of_parent()) return;
  // A time of zero would switch the timer off.
  const auto span = std::max(time.time_since_epoch(), Deadline::Time::duration(1));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(span);
  const std::chrono::nanoseconds rest = span - seconds;
  const itimerspec spec{.it_interval = {}, .it_value = {.tv_sec = seconds.count(), .tv_nsec = rest.count()}};
  ::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &spec, nullptr);
}

bool Poller::is_of_parent() const noexcept { return generation_ != socket_generation(); }

}}}  // namespace obol::v0::redis

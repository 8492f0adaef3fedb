// Counts lookups. A fork is rare, and so is a lookup: one counter serves.
#include "base/name_lookup.hpp"

#include <netinet/in.h>
#include <resolv.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

namespace obol { inline namespace v0 {
namespace {

// Nothing here has a destructor: threads may run while static objects are being destroyed.
constinit std::atomic<std::uint32_t> lookups{0};
constinit std::atomic<bool> are_held_off{false};

// glibc gives back what it keeps for a thread when that ends, under a lock, and when no fork waits any more. Done here,
// nothing is left for then. What was never set up holds no descriptor: it must not be closed.
// Source: https://sourceware.org/git/?p=glibc.git;a=blob;f=resolv/res-close.c
void give_back_what_the_thread_has() {
#ifdef __GLIBC__
  if (_res.nscount == 0) return;
  ::res_nclose(&_res);
  _res.nscount = 0;
#endif
}

}  // namespace

NameLookup::NameLookup() {
  for (;;) {
    // Either hold_off() sees the count, or this thread sees that it is held off.
    ++lookups;
    if (!are_held_off) return;
    --lookups;
    are_held_off.wait(true);
  }
}

NameLookup::~NameLookup() {
  give_back_what_the_thread_has();
  --lookups;
}

void NameLookup::hold_off(std::chrono::milliseconds most) {
  using Time = std::chrono::steady_clock;
  are_held_off = true;
  const auto ends = Time::now() + most;
  while (lookups != 0 && Time::now() < ends) std::this_thread::sleep_for(std::chrono::microseconds(20));
}

void NameLookup::let_in() {
  are_held_off = false;
  are_held_off.notify_all();
}

void NameLookup::let_in_in_child() {
  lookups = 0;
  are_held_off = false;
}

}}  // namespace obol::v0

// Tells an observer of what happened.
#pragma once

#include <new>

#include "obol/observer.hpp"

namespace obol { inline namespace v0 {

/// `observer` may be null; `make` builds the event only if it is not. If there is no memory for the event, it is not
/// told: the call has done its work.
template <class Member, class Make>
void tell(Observer* observer, Member member, const Make& make) {
  if (observer == nullptr) return;
  try {
    (observer->*member)(make());
  } catch (const std::bad_alloc&) {
    return;
  }
}

}}  // namespace obol::v0

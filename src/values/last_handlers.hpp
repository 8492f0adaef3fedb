// Handlers that run when nobody drives their store any more: in its destructor.
#pragma once

#include "obol/executor.hpp"

namespace obol { inline namespace v0 {

/// `take` gives the calls that have ended since it was asked last. A handler may begin further calls, which end at once
/// and are told in the next turn; one that does so each time it is told must not keep the destructor for ever, so what
/// is left after the last turn is dropped. An exception out of a handler has nobody who could catch it: it is dropped,
/// and the other handlers run.
template <class Take>
void run_last_handlers(Take take) noexcept {
  constexpr int most_turns = 8;
  for (int turn = 0; turn < most_turns; ++turn) {
    Completions ended = take();
    if (ended.empty()) return;
    while (!ended.empty()) {
      try {
        ended.run();
      } catch (...) {
        continue;
      }
    }
  }
  const Completions dropped = take();
}

}}  // namespace obol::v0

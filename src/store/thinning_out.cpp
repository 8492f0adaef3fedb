#include "store/thinning_out.hpp"

#include <utility>

namespace obol { inline namespace v0 {

ThinningOut::Next ThinningOut::take(ThinnedOut&& thinned) {
  bool is_idle = doomed_.empty();
  doomed_.clear();
  for (auto& session : thinned.seen) {
    if (kept_.insert(std::move(session)).second) is_idle = false;
    if (kept_.size() < policy_.max_sessions) continue;
    if (policy_.when_full == WhenFull::refuse) return Next::refused;
    doomed_.push_back(std::move(kept_.extract(kept_.begin()).value()));
  }
  cursor_ = thinned.cursor == "0" ? std::string() : std::move(thinned.cursor);
  if (cursor_.empty() && doomed_.empty()) return Next::done;
  idle_steps_ = is_idle ? idle_steps_ + 1 : 0;
  return idle_steps_ > most_idle_steps ? Next::endless : Next::step;
}

}}  // namespace obol::v0

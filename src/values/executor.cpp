// The chain of calls that have ended.
#include "obol/executor.hpp"

#include <utility>

namespace obol { inline namespace v0 {

Completions& Completions::operator=(Completions&& other) noexcept {
  if (this != &other) {
    const Completions dropped(std::move(*this));
    last_ = std::exchange(other.last_, nullptr);
  }
  return *this;
}

Completions::~Completions() {
  while (Completion* const ended = pop_front()) ended->drop();
}

void Completions::run() {
  while (Completion* const ended = pop_front()) ended->complete();
}

void Completions::run_some(std::size_t most) {
  for (; most > 0 && !empty(); --most) pop_front()->complete();
}

Completions Completions::adopt(void* released) noexcept {
  Completions adopted;
  adopted.last_ = static_cast<Completion*>(released);
  return adopted;
}

void Completions::push_back(Completion& ended) noexcept {
  if (last_ == nullptr) {
    ended.next_ = &ended;
  } else {
    ended.next_ = std::exchange(last_->next_, &ended);
  }
  last_ = &ended;
}

void Completions::append(Completions&& others) noexcept {
  auto* const last = std::exchange(others.last_, nullptr);
  if (last == nullptr) return;
  if (last_ != nullptr) std::swap(last_->next_, last->next_);
  last_ = last;
}

Completion* Completions::pop_front() noexcept {
  if (last_ == nullptr) return nullptr;
  Completion* const first = last_->next_;
  if (first == last_) {
    last_ = nullptr;
  } else {
    last_->next_ = first->next_;
  }
  first->next_ = nullptr;
  return first;
}

}}  // namespace obol::v0

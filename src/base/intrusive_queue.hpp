// A queue that needs no memory: its elements hold the links.
#pragma once

#include <cstddef>
#include <utility>

namespace obol { inline namespace v0 {

/// The member `links` of an element.
template <class Element>
struct QueueLinks {
  Element* ahead = nullptr;
  Element* behind = nullptr;
};

/// An element may stand in one queue at a time and must leave it before its own end. Nothing here throws. Not
/// thread-safe.
template <class Element>
class IntrusiveQueue {
 public:
  IntrusiveQueue() = default;
  /// Leaves the other one empty.
  IntrusiveQueue(IntrusiveQueue&& other) noexcept
      : front_(std::exchange(other.front_, nullptr)),
        back_(std::exchange(other.back_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  IntrusiveQueue& operator=(IntrusiveQueue&&) = delete;
  ~IntrusiveQueue() = default;

  bool empty() const noexcept { return front_ == nullptr; }
  std::size_t size() const noexcept { return size_; }

  /// Null if it is empty.
  Element* front() const noexcept { return front_; }
  Element* back() const noexcept { return back_; }
  static Element* behind(const Element& element) noexcept { return element.links.behind; }

  bool contains(const Element& element) const noexcept { return &element == front_ || element.links.ahead != nullptr; }

  void push_back(Element& element) noexcept { insert(element, back_, nullptr); }
  void push_front(Element& element) noexcept { insert(element, nullptr, front_); }

  /// Takes the first element out; null if there is none.
  Element* pop_front() noexcept {
    Element* const first = front_;
    if (first == nullptr) return nullptr;
    front_ = first->links.behind;
    (front_ == nullptr ? back_ : front_->links.ahead) = nullptr;
    first->links = {};
    --size_;
    return first;
  }

  /// Of an element that stands in this queue.
  void remove(Element& element) noexcept {
    auto [ahead, behind] = std::exchange(element.links, {});
    (ahead == nullptr ? front_ : ahead->links.behind) = behind;
    (behind == nullptr ? back_ : behind->links.ahead) = ahead;
    --size_;
  }

  /// Forgets the elements without touching them.
  void reset() noexcept {
    front_ = back_ = nullptr;
    size_ = 0;
  }

 private:
  void insert(Element& element, Element* ahead, Element* behind) noexcept {
    element.links = {.ahead = ahead, .behind = behind};
    (ahead == nullptr ? front_ : ahead->links.behind) = &element;
    (behind == nullptr ? back_ : behind->links.ahead) = &element;
    ++size_;
  }

  Element* front_ = nullptr;
  Element* back_ = nullptr;
  std::size_t size_ = 0;
};

}}  // namespace obol::v0

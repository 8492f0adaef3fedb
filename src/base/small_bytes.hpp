// Bytes that need no memory of their own while they are few.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

namespace obol { inline namespace v0 {

/// A fixed number of bytes: in the object itself up to `capacity`, else on the heap. A moved-from object is empty.
template <std::size_t capacity>
class SmallBytes {
 public:
  SmallBytes() = default;

  /// Bytes that are still to be written.
  explicit SmallBytes(std::size_t size)
      : size_(size), large_(size > capacity ? std::make_unique_for_overwrite<char[]>(size) : nullptr) {}
  explicit SmallBytes(std::string_view bytes) : SmallBytes(bytes.size()) { bytes.copy(data(), bytes.size()); }

  SmallBytes(const SmallBytes& other) : SmallBytes(other.view()) {}
  SmallBytes(SmallBytes&& other) noexcept { take(other); }
  SmallBytes& operator=(const SmallBytes& other) {
    if (this != &other) *this = SmallBytes(other);
    return *this;
  }
  SmallBytes& operator=(SmallBytes&& other) noexcept {
    if (this != &other) take(other);
    return *this;
  }
  ~SmallBytes() = default;

  char* data() { return large_ ? large_.get() : small_.data(); }
  std::string_view view() const { return {large_ ? large_.get() : small_.data(), size_}; }

 private:
  void take(SmallBytes& other) noexcept {
    size_ = std::exchange(other.size_, 0);
    large_ = std::move(other.large_);
    if (!large_) std::string_view(other.small_.data(), size_).copy(small_.data(), size_);
  }

  std::size_t size_ = 0;
  std::unique_ptr<char[]> large_{};
  std::array<char, capacity> small_;  ///< Not initialised: only the first `size_` are ever read.
};

}}  // namespace obol::v0

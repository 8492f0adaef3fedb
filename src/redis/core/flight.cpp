#include "redis/core/flight.hpp"

#include <utility>

#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

/// What is kept of the memory for commands.
constexpr std::size_t most_kept = 65'536;

std::size_t bytes_of(const Reply& reply) {
  auto bytes = reply.text.size();
  for (const auto& element : reply.elements) bytes += sizeof(Reply) + bytes_of(element);
  return bytes;
}

}  // namespace

void Flight::add(std::string_view command) {
  bytes_.append(command);
  ++calls_;
}

void Flight::take_back(std::size_t calls, std::size_t bytes) {
  bytes_.resize(bytes);
  calls_ = calls;
}

void Flight::seal(Marked marked) {
  if (calls_ < 2 && marked != Marked::always) return;
  auto marker = Marker::next();
  bytes_.append(marker.command().bytes());
  marker_ = std::move(marker);
}

Result<bool> Flight::take(Reply&& reply) {
  if (is_complete()) {
    return std::unexpected(Error{ErrorCode::unavailable, "a reply came that belongs to no command"});
  }
  if (answered() == calls_) {
    if (auto checked = marker_->check(reply); !checked) return std::unexpected(std::move(checked.error()));
    marker_.reset();
    return true;
  }
  const auto bytes = bytes_of(reply);
  if (calls_ > 1 && !holds_any_size_ && reply_bytes_ + bytes > most_held_) return std::unexpected(out_of_memory());
  replies_.push_back(std::move(reply));
  reply_bytes_ += bytes;
  return is_complete();
}

void Flight::give_memory_back() {
  replies_.clear();
  bytes_.clear();
  if (bytes_.capacity() > most_kept) bytes_.shrink_to_fit();
}

void Flight::clear() {
  bytes_.clear();
  calls_ = 0;
  holds_any_size_ = false;
  marker_.reset();
  replies_.clear();
  reply_bytes_ = 0;
}

}}}  // namespace obol::v0::redis

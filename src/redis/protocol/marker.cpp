// Numbers markers and looks for them among replies.
#include "redis/protocol/marker.hpp"

#include <fmt/format.h>

#include <atomic>
#include <cstdint>

#include "redis/protocol/reply_error.hpp"

namespace obol { inline namespace v0 { namespace redis {

Marker Marker::next() {
  static std::atomic<std::uint64_t> last{0};
  return Marker(fmt::format("obol-{}", ++last));
}

Result<void> Marker::check(const Reply& reply) const {
  if (reply.kind == Reply::Kind::text && reply.text == text_) return {};
  if (reply.is_error()) return std::unexpected(error_of(reply, command().name()));
  return std::unexpected(
      Error{ErrorCode::unavailable, "replies did not match their commands; is a proxy losing some?"});
}

}}}  // namespace obol::v0::redis

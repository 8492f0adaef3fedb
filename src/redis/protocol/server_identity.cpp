// Reads the run id.
#include "redis/protocol/server_identity.hpp"

#include <charconv>
#include <string_view>

#include "redis/protocol/info.hpp"
#include "redis/protocol/reply_error.hpp"

namespace obol { inline namespace v0 { namespace redis {

Command identity_question() { return {"INFO", "server"}; }

Result<ServerIdentity> identity_answer(const Reply& reply) {
  if (reply.is_error()) {
    Error error = error_of(reply);
    if (error.code == ErrorCode::permission) error.message += "; the near cache needs +info";
    return std::unexpected(std::move(error));
  }
  const auto run_id = info_field(reply.text, "run_id").value_or("").substr(0, 16);
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(run_id.data(), run_id.data() + run_id.size(), value, 16);
  if (run_id.size() == 16 && failure == std::errc{} && end == run_id.data() + run_id.size() && value != 0) {
    return ServerIdentity(value);
  }
  return std::unexpected(
      Error{ErrorCode::unsupported_server,
            "INFO does not contain the server's run_id, which the near cache needs; switch near_cache off"});
}

}}}  // namespace obol::v0::redis

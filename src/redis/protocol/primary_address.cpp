// Reads the reply of SENTINEL GET-MASTER-ADDR-BY-NAME.
#include "redis/protocol/primary_address.hpp"

#include <cstdint>

#include "base/decimal.hpp"
#include "redis/protocol/reply_error.hpp"

namespace obol { inline namespace v0 { namespace redis {

Command primary_question(const std::string& primary_name) {
  return {"SENTINEL", "GET-MASTER-ADDR-BY-NAME", primary_name};
}

Result<std::optional<ServerAddress>> primary_answer(const Reply& reply) {
  if (reply.is_error()) return std::unexpected(error_of(reply, primary_question("").name()));
  if (reply.kind == Reply::Kind::nil) return std::nullopt;
  if (reply.kind == Reply::Kind::list && reply.elements.size() == 2) {
    const auto host = reply.elements[0].text;
    const auto port = decimal<std::uint16_t>(reply.elements[1].text);
    if (!host.empty() && port && *port != 0) return ServerAddress{.host = std::string(host), .port = *port};
  }
  return std::unexpected(Error{ErrorCode::protocol, "the sentinel's reply is not a host and port"});
}

}}}  // namespace obol::v0::redis

// Which server is the primary, as a sentinel tells it.
#pragma once

#include <optional>
#include <string>

#include "obol/error.hpp"
#include "obol/server_address.hpp"
#include "redis/protocol/command.hpp"
#include "redis/protocol/reply.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Source: https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/#sentinel-api
Command primary_question(const std::string& primary_name);

/// What the reply says: no address if the sentinel knows no primary of that name.
Result<std::optional<ServerAddress>> primary_answer(const Reply& reply);

}}}  // namespace obol::v0::redis

// Which replicas a primary has, as it tells it.
#pragma once

#include <chrono>
#include <string_view>
#include <vector>

#include "obol/server_address.hpp"
#include "redis/protocol/command.hpp"

namespace obol { inline namespace v0 { namespace redis {

Command replicas_question();

/// In a primary's reply to INFO replication: those that are online and have been heard of within `max_lag`.
/// Source: https://redis.io/docs/latest/commands/info/
std::vector<ServerAddress> replicas_in(std::string_view info, std::chrono::seconds max_lag);

}}}  // namespace obol::v0::redis

// The start-up check: what to ask a server, and what its answers say about how it is set up.
#pragma once

#include <chrono>
#include <string_view>
#include <vector>

#include "obol/finding.hpp"
#include "obol/redis_store_options.hpp"
#include "redis/client/client.hpp"
#include "redis/protocol/command.hpp"

namespace obol { inline namespace v0 {

/// Questions that change nothing on the server.
std::vector<redis::Command> diagnosis_commands(std::string_view probe_key);

/// What the answers to these questions say. `now`: our clock when they came.
std::vector<Finding> diagnose(const redis::Inspection& inspection, const RedisStoreOptions& options,
                              std::chrono::system_clock::time_point now);

}}  // namespace obol::v0

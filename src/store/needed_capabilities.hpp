// What a store needs of a server that Obol is not tested on.
#pragma once

#include <string_view>
#include <vector>

#include "obol/redis_store_options.hpp"
#include "redis/protocol/capability.hpp"

namespace obol { inline namespace v0 {

/// Every command that a store with these options sends or has its functions call, but for those that load and run the
/// functions, and for those that another part of it tries anyway, such as CLIENT TRACKING. Nothing stays on the server.
/// The key is one that nothing is stored under.
std::vector<redis::Capability> needed_capabilities(const RedisStoreOptions& options, std::string_view probe_key);

}}  // namespace obol::v0

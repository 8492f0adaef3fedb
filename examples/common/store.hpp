// Opens the store of the sessions.
#pragma once

#include <string>

#include "obol/session_manager.hpp"

namespace example {

struct OpenSessions {
  obol::SessionManager manager;
  std::string kept_in{};  ///< "Redis 8.0.6", for the pages.
};

/// Sessions at this address, or in this process if it is empty. Events are reported on stderr.
obol::Result<OpenSessions> open_sessions(const std::string& redis_uri, obol::SessionManagerOptions options);

}  // namespace example

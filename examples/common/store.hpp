// Opens the store of the sessions.
#pragma once

#include <optional>
#include <string>

#include "obol/session_manager.hpp"
#include "obol/session_watch.hpp"

namespace example {

struct OpenSessions {
  obol::SessionManager manager;
  std::optional<obol::SessionWatch> watch{};  ///< If it was asked for.
  std::string kept_in{};                      ///< "Redis 8.0.6", for the pages.
};

/// Sessions at this address, or in this process if it is empty, and a watch if wanted. Events are reported on stderr.
obol::Result<OpenSessions> open_sessions(const std::string& redis_uri, obol::SessionManagerOptions options,
                                         bool with_watch = false);

}  // namespace example

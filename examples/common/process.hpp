// What the main function of either server does.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "options.hpp"
#include "store.hpp"

namespace example {

/// Reports why the process ends, and returns its exit status.
int fail(std::string_view problem);

/// A server, for its command line and its sessions.
struct Host {
  std::string name{};
  std::string session_type{};     ///< Tokens of another server's sessions, which have another type, are refused.
  bool watches_sessions = false;  ///< OpenSessions has a watch.
};

/// Reads the command line and OBOL_SECRET, opens the sessions, lets `serve` use them, and returns the exit status.
int run_host(const Host& host, int argument_count, char** arguments,
             const std::function<int(const Options& options, OpenSessions sessions)>& serve);

}  // namespace example

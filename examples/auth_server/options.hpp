// The command line.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "obol/session_manager.hpp"

namespace auth_server {

struct Options {
  std::string host = "127.0.0.1";
  int port = 8080;                 ///< 0: a free port.
  std::string redis_uri{};         ///< Empty: sessions are kept in this process.
  std::string certificate_file{};  ///< Empty: no TLS.
  std::string private_key_file{};
  /// All but the keyring. Tokens of another host's sessions, which have another type, are refused.
  obol::SessionManagerOptions sessions{.session_type = "web"};
};

/// Parses the command line. Without a value it asked for help or was wrong; the message is already printed, and the
/// process should end with `exit_code`.
std::optional<Options> read_options(int argument_count, char** arguments, int& exit_code);

}  // namespace auth_server

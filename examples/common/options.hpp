// The command line.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "obol/session_manager.hpp"

namespace example {

struct Options {
  std::string host = "127.0.0.1";
  int port = 8080;                 ///< 0: a free port.
  std::string redis_uri{};         ///< Empty: sessions are kept in this process.
  std::string certificate_file{};  ///< Empty: no TLS.
  std::string private_key_file{};
  obol::SessionManagerOptions sessions{};  ///< Without the keyring.

  bool is_over_tls() const { return !certificate_file.empty(); }
};

/// Parses the command line. Without a value it asked for help or was wrong; the message is already printed, and the
/// process should end with `exit_code`.
std::optional<Options> read_options(const std::string& about, int argument_count, char** arguments, int& exit_code);

}  // namespace example

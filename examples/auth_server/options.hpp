// The command line.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "sessions.hpp"

namespace auth_server {

struct Options {
  std::string host = "127.0.0.1";
  int port = 8080;                 ///< 0: one that is free.
  std::string redis_uri{};         ///< Empty: sessions in this process.
  std::string certificate_file{};  ///< Empty: no TLS.
  std::string private_key_file{};
  SessionLifetimes lifetimes{};
};

/// What the command line asks for; else it was for help or wrong, this was said, and the process is to end with
/// `exit_code`.
std::optional<Options> read_options(int argument_count, char** arguments, int& exit_code);

}  // namespace auth_server

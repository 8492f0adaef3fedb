// The command line of a program that measures each of several servers.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "server.hpp"

namespace obol::benchmark {

/// What `PROGRAM [--server redis|valkey|URI] [--sessions N]` asks for.
struct ServerArguments {
  std::string_view program;
  std::size_t sessions;                ///< 100 at least.
  std::vector<std::string> servers{};  ///< Both kinds if none is named.

  /// Ends the program with its usage if the words are wrong.
  static ServerArguments parse(std::string_view program, std::size_t sessions, int count, char** words);

  /// A private server, or one's own. Ends the program if the name is no URI.
  Server connect(const std::string& name) const;

 private:
  [[noreturn]] void explain(std::string_view wrong) const;
};

}  // namespace obol::benchmark

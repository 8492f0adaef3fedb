// A real Redis or Valkey made to look like another server: what it calls itself, and which commands it does not have.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/fault_proxy.hpp"
#include "support/server_test.hpp"

namespace obol::testing {

/// What is changed about the server.
struct Lookalike {
  std::string_view name;                 ///< For test names.
  std::optional<std::string> hello{};    ///< In place of its reply to HELLO, encoded.
  std::vector<std::string> lacks{};      ///< Commands, unknown to it and to its functions.
  std::vector<std::string> arguments{};  ///< Of the server.
  bool takes_flags = true;               ///< In the first line of a script.
  bool tells_time_in_numbers = false;    ///< In place of texts.
};

/// A reply to HELLO; a value that begins with ':' is a number.
inline std::string hello_of(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  std::string bytes = fmt::format("%{}\r\n", fields.size());
  for (const auto& [key, value] : fields) {
    bytes += fmt::format("${}\r\n{}\r\n", key.size(), key);
    bytes += value.starts_with(':') ? fmt::format("{}\r\n", value) : fmt::format("${}\r\n{}\r\n", value.size(), value);
  }
  return bytes;
}

/// As Redis says of itself, but for the version.
inline std::string hello_of_version(std::string_view version) {
  return hello_of({{"server", "redis"},
                   {"version", version},
                   {"proto", ":3"},
                   {"id", ":7"},
                   {"mode", "standalone"},
                   {"role", "master"}});
}

inline Lookalike redis_7_4() { return {.name = "Redis74", .hello = hello_of_version("7.4.0")}; }

/// Does it to SCRIPT, as a server that knows no line before the Lua code.
inline Fault without_flags() {
  return Fault::refuse_with("#!lua", "ERR [string \"#!lua\"]:1: unexpected symbol near '#'");
}

/// The time as Dragonfly tells it.
inline Fault time_in_numbers() {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return Fault::garbage(fmt::format("*2\r\n:{}\r\n:999999\r\n", now.time_since_epoch().count()));
}

/// A private server behind a proxy. The proxy is there for faults, too, once the store is connected.
class LookalikeServer {
 public:
  LookalikeServer(ServerKind kind, const Lookalike& like)
      : server_(kind, arguments_of(like)),
        proxy_(server_),
        hello_(like.hello.value_or("")),
        takes_flags_(like.takes_flags),
        tells_time_in_numbers_(like.tells_time_in_numbers) {
    proxy_.follow([this](std::string_view word) { return own_fault(word); });
  }

  TestServer& server() { return server_; }
  FaultProxy& proxy() { return proxy_; }
  ConnectionOptions connection() const { return proxy_.connection(); }

  /// How often it was asked what it can do.
  std::size_t probes() const { return probes_; }

  /// From now on it answers these commands so, without having run them.
  void refuse(std::string word, std::string error) {
    proxy_.follow([this, word = std::move(word), error = std::move(error)](std::string_view seen) {
      return seen == word ? Fault::refuse(error) : own_fault(seen);
    });
  }
  void heal() {
    proxy_.follow([this](std::string_view word) { return own_fault(word); });
  }

 private:
  static std::vector<std::string> arguments_of(const Lookalike& like) {
    auto arguments = like.arguments;
    for (const auto& command : like.lacks) arguments.insert(arguments.end(), {"--rename-command", command, ""});
    return arguments;
  }

  // Functions call HPEXPIRETIME, but a store does not.
  Fault own_fault(std::string_view word) {
    if (word == "HPEXPIRETIME") ++probes_;
    if (word == "SCRIPT" && !takes_flags_) return without_flags();
    if (word == "TIME" && tells_time_in_numbers_) return time_in_numbers();
    return word == "HELLO" && !hello_.empty() ? Fault::garbage(hello_) : Fault{};
  }

  TestServer server_;
  FaultProxy proxy_;
  const std::string hello_;
  const bool takes_flags_;
  const bool tells_time_in_numbers_;
  std::atomic<std::size_t> probes_ = 0;
};

}  // namespace obol::testing

// Stands between a store and its server and does to their connections what a test tells it.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "obol/connection_options.hpp"
#include "support/descriptor.hpp"
#include "support/fault.hpp"
#include "support/test_server.hpp"

namespace obol::testing {

/// Thread-safe. Replies are matched to commands in their order, so pipelined commands may each have a fault. One thread
/// serves all connections.
class FaultProxy {
 public:
  /// Gives the fault for a command that arrives, by its first word; called in the proxy's thread.
  using Script = std::function<Fault(std::string_view word)>;

  explicit FaultProxy(const TestServer& server);
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  /// The way through the proxy, by unix socket and by TCP.
  ConnectionOptions connection() const;
  ConnectionOptions tcp_connection() const;

  /// Connections that are made from now on lead to this server; those that are there stay.
  void lead_to(const TestServer& server);

  /// True for the commands of store operations, and not for what introduces a connection.
  static bool is_store_command(std::string_view word);

  /// Does it to the next command of that word; without a word, to the next one of a store operation. Faults that wait
  /// for the same command are done one after the other, in the order they were given.
  void once(Fault fault, std::string word = {});

  /// Does it to every command of that word; without a word, to every one of a store operation.
  void always(Fault fault, std::string word = {});

  /// Asks the script about every command for which no `once` is waiting.
  void follow(Script script);

  /// No faults any more. What is half open stays so; connections that something comes over without an end are closed.
  void heal();

  std::size_t connections() const { return connections_; }
  std::size_t commands() const { return commands_; }
  std::size_t faults() const { return faults_; }

  /// True once so many faults have been done; waits for it at most ten seconds.
  bool await_faults(std::size_t count) const;

 private:
  class Channel;
  struct Waiting {
    std::string word;
    Fault fault;
  };

  Fault fault_for(std::string_view word);
  void run();
  void accept_from(const Descriptor& listener);
  static bool matches(std::string_view wanted, std::string_view word);

  std::string server_path_;  ///< Belongs to mutex_.
  std::filesystem::path folder_;
  Descriptor unix_listener_;
  Descriptor tcp_listener_;
  Descriptor wake_;
  std::uint16_t port_ = 0;

  std::mutex mutex_;
  std::deque<Waiting> waiting_;
  Script script_;

  std::atomic<std::size_t> connections_ = 0;
  std::atomic<std::size_t> commands_ = 0;
  std::atomic<std::size_t> faults_ = 0;
  std::atomic<bool> is_troubled_ = false;
  std::atomic<bool> stopping_ = false;
  std::vector<std::unique_ptr<Channel>> channels_;
  std::thread thread_;
};

}  // namespace obol::testing

// Forks the process now and then while calls are made.
#pragma once

#include <cstddef>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "history/stores.hpp"
#include "obol/redis_store_options.hpp"

namespace obol::testing::history {

/// Each child does with the stores that it has of its parent what docs/guides/forking.md allows, one child after the
/// other, until this is destroyed: it makes calls on the blocking one, closes and destroys it; it is refused by the
/// asynchronous ones, destroys them, and connects one of its own.
class Forks {
 public:
  /// The options are those of the stores.
  Forks(Stores& stores, RedisStoreOptions options);

  /// Ends the forks; what a child broke, one line each.
  std::vector<std::string> end();

  /// After the end.
  std::size_t count() const { return count_; }

 private:
  void fork_on_and_on(const std::stop_token& stop);
  bool is_well_in_child();

  Stores& stores_;
  const RedisStoreOptions options_;
  std::size_t count_ = 0;
  std::vector<std::string> broken_;
  std::jthread thread_;
};

}  // namespace obol::testing::history

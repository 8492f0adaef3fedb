// Forks the process now and then while calls are made.
#pragma once

#include <cstddef>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "obol/redis_store.hpp"

namespace obol::testing::history {

/// Each child makes calls, closes and destroys the store that it has of its parent, one child after the other, until
/// this is destroyed.
class Forks {
 public:
  explicit Forks(std::unique_ptr<RedisStore>& store);

  /// Ends the forks; what a child broke, one line each.
  std::vector<std::string> end();

  /// After the end.
  std::size_t count() const { return count_; }

 private:
  void fork_on_and_on(const std::stop_token& stop);

  std::unique_ptr<RedisStore>& store_;
  std::size_t count_ = 0;
  std::vector<std::string> broken_;
  std::jthread thread_;
};

}  // namespace obol::testing::history

// Waits for conditions.
#pragma once

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>

namespace obol::testing {

/// Looks every few milliseconds until the condition holds; throws std::runtime_error after a minute. A look that
/// fails with a std::runtime_error has not seen it hold.
inline void await(const std::string& what, const std::function<bool()>& holds) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  std::string error;
  while (std::chrono::steady_clock::now() < give_up) {
    try {
      if (holds()) return;
      error.clear();
    } catch (const std::runtime_error& failure) {
      error = std::string(": ") + failure.what();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  throw std::runtime_error("waited in vain for " + what + error);
}

}  // namespace obol::testing

// A network's round trip, emulated: passes bytes on after half of it, each way, without holding up what follows.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "obol/connection_options.hpp"

namespace obol::benchmark {

class DelayProxy {
 public:
  DelayProxy(const ConnectionOptions& server, std::chrono::microseconds round_trip);
  ~DelayProxy();
  DelayProxy(const DelayProxy&) = delete;
  DelayProxy& operator=(const DelayProxy&) = delete;

  ConnectionOptions connection() const;

 private:
  void run();

  const ConnectionOptions server_;
  const std::chrono::microseconds one_way_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace obol::benchmark

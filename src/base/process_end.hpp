// What lives on when the process ends: it is closed before OpenSSL is torn down.
#pragma once

#include <functional>

namespace obol { inline namespace v0 {

/// While it lives, the end of the process by exit(3) or by a return from main runs `at_end`: after the static objects
/// of the host are destroyed, and before OpenSSL's clean-up. Its destructor waits if that is under way.
class ProcessEndRegistration {
 public:
  explicit ProcessEndRegistration(std::function<void()> at_end);
  ~ProcessEndRegistration();
  ProcessEndRegistration(const ProcessEndRegistration&) = delete;
  ProcessEndRegistration& operator=(const ProcessEndRegistration&) = delete;

  void run() const { at_end_(); }

 private:
  const std::function<void()> at_end_;
};

}}  // namespace obol::v0

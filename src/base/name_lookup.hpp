// Keeps a fork clear of the locks that the C library takes to resolve a name.
#pragma once

#include <chrono>

namespace obol { inline namespace v0 {

/// Lives around a call of getaddrinfo(3), the last one in its thread. A fork lets none begin meanwhile and waits for
/// those under way, but not for long: glibc holds its locks for moments only, at a lookup's beginning and end, and none
/// while a name server is waited for. While it lives, never wait for a lock that a fork takes.
class NameLookup {
 public:
  NameLookup();
  ~NameLookup();
  NameLookup(const NameLookup&) = delete;
  NameLookup& operator=(const NameLookup&) = delete;

  /// Far longer than a lookup that needs no name server.
  static constexpr std::chrono::milliseconds longest_wait{50};

  /// For the fork handlers: no lookup begins until the second, and when the first returns none is under way, or the
  /// wait was too long.
  static void hold_off(std::chrono::milliseconds most = longest_wait);
  static void let_in();
  static void let_in_in_child();  ///< Where the threads that were in a lookup are not.
};

}}  // namespace obol::v0

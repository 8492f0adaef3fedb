// Keeps a fork and the end of the process clear of calls into OpenSSL.
#pragma once

namespace obol { inline namespace v0 {

/// Lives around calls into OpenSSL that may take locks which its threads share: loading, fetching, handshakes, errors,
/// and what is done with a connection. A fork waits until no thread has one and lets none begin meanwhile, so in a
/// child no such lock is held by a call of ours. To have one costs an addition to a counter that hardly any other
/// thread writes to. May be nested. While it lives, never wait for a lock, the network or another thread, and never
/// fork.
class OpensslUse {
 public:
  OpensslUse();
  ~OpensslUse();
  OpensslUse(const OpensslUse&) = delete;
  OpensslUse& operator=(const OpensslUse&) = delete;

  /// For the fork handlers: no other thread is in a use when it returns, and none begins one until the second.
  static void hold_off();
  static void let_in();

  /// The last use in a thread that nobody joins: ends what OpenSSL keeps for it. At the end of the process it does
  /// not return, or OpenSSL would end it by itself while another thread tears OpenSSL down.
  static void end_thread();

  /// At the end of the process: from now on only this thread uses OpenSSL; others that want to wait for ever.
  static void end();
};

}}  // namespace obol::v0

// Keeps the host's signals for the host's threads.
#pragma once

#include <pthread.h>

#include <csignal>

namespace obol { inline namespace v0 {

/// While it lives, threads that are started handle none of the host's signals.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}}  // namespace obol::v0

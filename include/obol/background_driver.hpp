// A thread that drives an asynchronous store, for programs without an event loop.
#pragma once

#include <memory>

#include "obol/async_session_store.hpp"
#include "obol/export.hpp"

namespace obol { inline namespace v0 {

/// A thread that drives a store while this lives: the handlers of calls without an executor run in it. No other thread
/// may drive the store meanwhile, and the store must neither be moved nor destroyed.
///
/// The thread has all signals blocked. An exception out of a handler ends the program (std::terminate). A handler may
/// destroy this: the thread ends once that run_ready() has returned, and the store must live until then. After a fork
/// the child has no such thread; it may destroy this.
class OBOL_EXPORT BackgroundDriver {
 public:
  /// Starts the thread, and returns once that has driven the store for the first time. Throws std::system_error if the
  /// operating system gives no thread or no descriptor.
  explicit BackgroundDriver(AsyncSessionStore& store);
  /// Stops the thread and waits for its end. Calls that have not ended wait for the next driver, or for the store's
  /// destructor.
  ~BackgroundDriver();
  BackgroundDriver(const BackgroundDriver&) = delete;
  BackgroundDriver& operator=(const BackgroundDriver&) = delete;

 private:
  class Implementation;
  const std::shared_ptr<Implementation> implementation_;
};

}}  // namespace obol::v0

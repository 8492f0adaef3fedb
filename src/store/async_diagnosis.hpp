// An asynchronous diagnosis: asks with a client that blocks, in a thread of its own.
#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "obol/async_call.hpp"
#include "obol/executor.hpp"
#include "obol/finding.hpp"
#include "store/async_store_call.hpp"
#include "store/async_store_core.hpp"

namespace obol { inline namespace v0 {

class AsyncDiagnosis final : public AsyncStoreCall<Result<std::vector<Finding>>, Completion> {
 public:
  using Outcome = Result<std::vector<Finding>>;

  /// Of the options only the executor counts, since the client that asks has a time limit of its own; a negative limit
  /// is refused all the same.
  AsyncDiagnosis(std::shared_ptr<AsyncStoreCore> core, CallOptions options)
      : AsyncStoreCall(std::move(core), without_limits(std::move(options))) {}

  bool begin(Receiver<Outcome>& receiver) override;
  void abandon() noexcept override;
  void cancel() noexcept override {}

 private:
  static CallOptions without_limits(CallOptions options) {
    options.timeout = std::min(options.timeout, std::chrono::milliseconds(0));
    options.stop = {};
    return options;
  }
  void complete() override { tell(); }
  bool start();
};

}}  // namespace obol::v0

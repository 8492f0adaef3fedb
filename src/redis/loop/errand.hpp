// Work that may block, done in a thread of its own, and what the engine does with what came of it.
#pragma once

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/intrusive_queue.hpp"
#include "obol/error.hpp"
#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// All its memory is there before it begins, so that it always comes back.
class Errand {
 public:
  Errand() = default;
  Errand(const Errand&) = delete;
  Errand& operator=(const Errand&) = delete;
  virtual ~Errand() = default;

  /// In another thread.
  virtual void work() noexcept = 0;
  /// In the thread that drives, with the outcome of work().
  virtual void take() = 0;
  /// In place of work() that could not begin.
  virtual void fail(Error error) noexcept = 0;

  QueueLinks<Errand> links{};
};

/// `work` gives a Result, which `take` is given. What `work` holds is destroyed in the thread that drives, or with the
/// engine's inbox.
template <class Work, class Take>
class ErrandOf final : public Errand {
 public:
  ErrandOf(Work work, Take take) : work_(std::move(work)), take_(std::move(take)) {}

  void work() noexcept override { outcome_.emplace(within_memory(work_)); }
  void take() override { take_(std::move(*outcome_)); }
  void fail(Error error) noexcept override { outcome_.emplace(std::unexpected(std::move(error))); }

 private:
  Work work_;
  Take take_;
  std::optional<std::invoke_result_t<Work&>> outcome_;
};

/// An errand that calls wait for, one at a time.
template <class Call>
struct SharedErrand {
  IntrusiveQueue<Call> waiting{};
  bool is_running = false;
};

}}}  // namespace obol::v0::redis

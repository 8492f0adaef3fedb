#include "redis/pool/batch.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "redis/core/verdict.hpp"
#include "redis/pool/waiter.hpp"
#include "redis/protocol/reply_error.hpp"
#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

bool shares(const Waiter& waiter) { return !waiter.command.empty() && waiter.sharing == Sharing::allowed; }

void tell_outcome(Waiter& waiter, const Waiter* self, Wakes& wakes) {
  if (&waiter == self) return waiter.become(Waiter::State::finished);
  wakes.post(waiter, WakeSignal::answered);
}

}  // namespace

void Batch::clear() {
  flight.clear();
  waiters.clear();
  deadline.reset();
  round_trip = {};
  looks = 0;
  may_repeat = false;
  failure.reset();
  fault.reset();
}

bool Batch::fill(const IntrusiveQueue<Waiter>& queue, Waiter& first, const BatchLimit& limit, std::size_t most_calls) {
  const auto fits = [&](const Waiter& waiter) {
    return waiters.size() < most_calls && limit.admits(waiters.size(), flight.bytes().size(), waiter.command.size());
  };
  const auto add = [this](Waiter& waiter) {
    flight.add(waiter.command);
    waiters.push_back(&waiter);
  };
  try {
    Waiter* next = queue.contains(first) ? queue.behind(first) : queue.front();
    add(first);
    for (; shares(first) && next != nullptr && shares(*next) && fits(*next); next = queue.behind(*next)) add(*next);
    flight.seal();
    return true;
  } catch (const std::bad_alloc&) {
    clear();
    return false;
  }
}

Result<bool> Batch::collect(Connection& connection) {
  for (;;) {
    auto reply = connection.next_reply();
    if (!reply) return std::unexpected(std::move(reply.error()));
    if (!*reply) return false;
    auto all = flight.take(std::move(**reply));
    if (!all || *all) return all;
  }
}

void Batch::hand_out(ServerIdentity answered_by, const Waiter* self, RetryBudget& budget, Wakes& wakes) {
  for (std::size_t i = 0; i < waiters.size(); ++i) {
    auto& reply = flight.replies()[i];
    Waiter* const waiter = waiters[i];
    const auto verdict = reply.is_error() ? verdict_for(reply, {}) : Verdict{};
    if (verdict.drops != Verdict::Drops::none) {
      auto error = error_from(ErrorCode::unavailable, [&reply] { return error_of(reply); });
      if (!failure) {
        failure = copy_of(error);
        may_repeat = goes_on(verdict, budget);
      }
      if (waiter == nullptr) continue;
      waiter->outcome =
          std::unexpected(CallFailure{.error = std::move(error), .came_from_server = true, .may_repeat = may_repeat});
    } else if (waiter != nullptr) {
      waiter->outcome = std::move(reply);
      waiter->answered_by = answered_by;
    }
    if (waiter != nullptr) tell_outcome(*waiter, self, wakes);
  }
}

void Batch::fail(const Error& error, const Waiter* self, RetryBudget& budget, Wakes& wakes) {
  const bool may_repeat_calls = goes_on(verdict_for(error), budget);
  for (Waiter* const waiter : waiters) {
    if (waiter == nullptr) continue;
    waiter->outcome =
        std::unexpected(CallFailure{.error = copy_of(error), .came_from_server = true, .may_repeat = may_repeat_calls});
    tell_outcome(*waiter, self, wakes);
  }
}

void Batch::blame(const Error& error, const Waiter* self, Wakes& wakes) {
  Waiter* const waiter = flight.answered() < waiters.size() ? waiters[flight.answered()] : nullptr;
  if (waiter == nullptr) return;
  const bool is_its_own = waiters.size() == 1 && waiter == self && !fault;
  if (is_out_of_memory(error) && !is_its_own) {
    waiter->sharing = Sharing::alone;
    return;
  }
  leave(*waiter);
  waiter->outcome = std::unexpected(CallFailure{.error = copy_of(error), .came_from_server = true});
  tell_outcome(*waiter, self, wakes);
}

void Batch::leave(Waiter& waiter) { *std::ranges::find(waiters, &waiter) = nullptr; }

Waiter* Batch::first_waiter() const {
  const auto found = std::ranges::find_if(waiters, [](const Waiter* waiter) { return waiter != nullptr; });
  return found == waiters.end() ? nullptr : *found;
}

}}}  // namespace obol::v0::redis

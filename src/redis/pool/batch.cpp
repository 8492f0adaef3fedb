#include "redis/pool/batch.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "redis/pool/waiter.hpp"
#include "redis/protocol/reply_error.hpp"
#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

/// What a connection keeps of the memory for commands.
constexpr std::size_t most_kept = 65'536;

/// Of one batch. BatchLimit expects less; if replies suddenly are larger, this ends it.
constexpr std::size_t most_held = 16 * BatchLimit::most_reply_bytes;

std::size_t bytes_of(const Reply& reply) {
  auto bytes = reply.text.size();
  for (const auto& element : reply.elements) bytes += sizeof(Reply) + bytes_of(element);
  return bytes;
}

bool shares(const Waiter& waiter) { return !waiter.command.empty() && waiter.sharing == Sharing::allowed; }

void tell_outcome(Waiter& waiter, const Waiter* self, Wakes& wakes) {
  if (&waiter == self) return waiter.become(Waiter::State::finished);
  wakes.post(waiter, WakeSignal::answered);
}

}  // namespace

void Batch::clear() {
  commands.clear();
  waiters.clear();
  replies.clear();
  marker.reset();
  deadline.reset();
  round_trip = {};
  reply_bytes = 0;
  looks = 0;
  may_repeat = false;
  failure.reset();
  fault.reset();
}

bool Batch::fill(const IntrusiveQueue<Waiter>& queue, Waiter& first, const BatchLimit& limit, std::size_t most_calls) {
  const auto fits = [&](const Waiter& waiter) {
    return waiters.size() < most_calls && limit.admits(waiters.size(), commands.size(), waiter.command.size());
  };
  const auto add = [this](Waiter& waiter) {
    commands.append(waiter.command);
    waiters.push_back(&waiter);
  };
  try {
    Waiter* next = queue.contains(first) ? queue.behind(first) : queue.front();
    add(first);
    for (; shares(first) && next != nullptr && shares(*next) && fits(*next); next = queue.behind(*next)) add(*next);
    if (waiters.size() == 1) return true;
    marker = Marker::next();
    commands.append(marker->command().bytes());
    return true;
  } catch (const std::bad_alloc&) {
    clear();
    return false;
  }
}

Result<bool> Batch::collect(Connection& connection) {
  const auto expected = waiters.size() + (marker ? 1 : 0);
  while (replies.size() < expected) {
    auto reply = connection.next_reply();
    if (!reply) return std::unexpected(std::move(reply.error()));
    if (!*reply) return false;
    reply_bytes += bytes_of(**reply);
    if (marker && reply_bytes > most_held) return std::unexpected(out_of_memory());
    replies.push_back(std::move(**reply));
  }
  if (!marker) return true;
  if (auto checked = marker->check(replies.back()); !checked) return std::unexpected(checked.error());
  return true;
}

void Batch::hand_out(ServerIdentity answered_by, const Waiter* self, RetryBudget& budget, Wakes& wakes) {
  for (std::size_t i = 0; i < waiters.size(); ++i) {
    auto& reply = replies[i];
    Waiter* const waiter = waiters[i];
    if (reply.is_error() && remedy_for(reply) == Remedy::reconnect) {
      auto error = error_from(ErrorCode::unavailable, [&reply] { return error_of(reply); });
      if (!failure) {
        failure = copy_of(error);
        may_repeat = budget.spend();
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

void Batch::fail(const Error& error, bool may_repeat_calls, const Waiter* self, Wakes& wakes) {
  for (Waiter* const waiter : waiters) {
    if (waiter == nullptr) continue;
    waiter->outcome =
        std::unexpected(CallFailure{.error = copy_of(error), .came_from_server = true, .may_repeat = may_repeat_calls});
    tell_outcome(*waiter, self, wakes);
  }
}

void Batch::blame(const Error& error, const Waiter* self, Wakes& wakes) {
  Waiter* const waiter = replies.size() < waiters.size() ? waiters[replies.size()] : nullptr;
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

void Batch::give_memory_back() {
  replies.clear();
  commands.clear();
  if (commands.capacity() > most_kept) commands.shrink_to_fit();
}

}}}  // namespace obol::v0::redis

// Looking for answers before sleeping for them: any thread that waits may look for those of a leader that lets it.
#include <thread>
#include <utility>

#include "redis/pool/pool.hpp"

namespace obol { inline namespace v0 { namespace redis {

// True where the waiter leads a batch; false once its outcome is there.
bool Pool::leads(Waiter& self) {
  if (std::exchange(self.is_offered, false) && !take_back(self)) return false;
  return self.pooled != nullptr;
}

// The leader's connection belongs to whoever takes the offer. False if another thread has handed out the outcome.
bool Pool::take_back(Waiter& self) {
  return handoff_slot_.take_back(self, [&self] { return self.signal.word() == WakeSignal::answered; });
}

// True with the connection in hand, whether anything came or not; false once the outcome is there.
bool Pool::look(Waiter& self) {
  if (!self.pooled->busy_wait.is_worth_it()) return true;
  const auto end = self.pooled->busy_wait.end();
  for (;;) {
    const bool came = self.pooled->connection.has_news();
    if (came || Deadline::Time::now() >= end) {
      self.pooled->busy_wait.note(came);
      return true;
    }
    handoff_slot_.make(self);
    std::this_thread::yield();
    if (!take_back(self)) return false;
  }
}

// What is posted meanwhile saves a sleep, which costs more.
void Pool::spin_then_sleep(const Waiter& self) {
  constexpr int turns = 10;
  for (int turn = 0; turn < turns && self.signal.word() == WakeSignal::none; ++turn) {
    look_for_another(self);
    if (self.signal.word() == WakeSignal::none) std::this_thread::yield();
  }
}

// Answers found too soon would take the connection on before the next batch has gathered: one turn of as many threads
// as the batch has calls is given to that.
// What goes wrong is left to the leader, since its calls may have to wait again, as this thread does.
void Pool::look_for_another(const Waiter& self) {
  Waiter* const leader = handoff_slot_.take();
  if (leader == nullptr) return;
  auto& pooled = *leader->pooled;
  auto& batch = pooled.batch;
  if (++batch.looks < batch.waiters.size() || !pooled.connection.has_news()) return handoff_slot_.give_back(*leader);
  pooled.busy_wait.note(true);
  auto all = take_in(pooled, std::min({self.deadline, leader->deadline, *batch.deadline}));
  if (all && *all) return finish(std::move(leader->pooled), nullptr);
  if (all || all.error().code == ErrorCode::timeout) return handoff_slot_.give_back(*leader);
  batch.fault = std::move(all.error());
  handoff_slot_.give_to_holder(*leader);
}

}}}  // namespace obol::v0::redis

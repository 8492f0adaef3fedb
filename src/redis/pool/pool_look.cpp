// Looking for answers before sleeping for them: any thread that waits may look for those of a leader that lets it.
#include <thread>
#include <utility>

#include "redis/pool/pool.hpp"

namespace obol::inline v0::redis {

// True where the caller leads a batch; false once its outcome is there.
bool Pool::leads(Caller& self) {
  if (std::exchange(self.is_offered, false) && !take_back(self)) return false;
  return self.member != nullptr;
}

// The leader's member belongs to whoever takes the offer. False if another thread has handed out the outcome.
bool Pool::take_back(Caller& self) {
  return offer_.take_back(self, [&self] { return self.notice.word() == Notice::answered; });
}

// True with the member in hand, whether anything came or not; false once the outcome is there.
bool Pool::look(Caller& self) {
  if (!self.member->busy_wait.is_worth_it()) return true;
  const auto end = self.member->busy_wait.end();
  for (;;) {
    const bool came = self.member->connection.has_news();
    if (came || Deadline::Time::now() >= end) {
      self.member->busy_wait.note(came);
      return true;
    }
    offer_.make(self);
    std::this_thread::yield();
    if (!take_back(self)) return false;
  }
}

// What is posted meanwhile saves a sleep, which costs more.
void Pool::linger(const Caller& self) {
  constexpr int turns = 10;
  for (int turn = 0; turn < turns && self.notice.word() == Notice::none; ++turn) {
    look_for_another(self);
    if (self.notice.word() == Notice::none) std::this_thread::yield();
  }
}

// Answers found too soon would take the connection on before the next batch has gathered: one turn of as many threads
// as the batch has calls is given to that.
// What goes wrong is left to the leader, since its calls may have to wait again, as this thread does.
void Pool::look_for_another(const Caller& self) {
  Caller* const leader = offer_.take();
  if (leader == nullptr) return;
  auto& member = *leader->member;
  auto& batch = member.batch;
  if (++batch.looks < batch.callers.size() || !member.connection.has_news()) return offer_.give_back(*leader);
  member.busy_wait.note(true);
  auto all = take_in(member, std::min({self.deadline, leader->deadline, *batch.deadline}));
  if (all && *all) return finish(std::move(leader->member), nullptr);
  if (all || all.error().code == ErrorCode::timeout) return offer_.give_back(*leader);
  batch.fault = std::move(all.error());
  offer_.give_to_holder(*leader);
}

}  // namespace obol::inline v0::redis

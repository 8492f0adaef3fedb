// What an engine is made of: engine.cpp has its rounds, engine_calls.cpp the life of a call, engine_nodes.cpp the
// servers and connections, engine_flights.cpp what is in the air.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string_view>
#include <thread>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/background_tasks.hpp"
#include "base/intrusive_queue.hpp"
#include "base/one_at_a_time.hpp"
#include "obol/error.hpp"
#include "obol/executor.hpp"
#include "redis/client/client.hpp"
#include "redis/core/timer_wheel.hpp"
#include "redis/loop/engine.hpp"
#include "redis/loop/engine_call.hpp"
#include "redis/loop/errand.hpp"
#include "redis/loop/inbox.hpp"
#include "redis/loop/loop_connection.hpp"
#include "redis/loop/loop_node.hpp"
#include "redis/loop/poller.hpp"
#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// All but the functions marked "any thread" run in the thread that drives.
class Engine::Implementation {
 public:
  using Time = Deadline::Time::time_point;

  Implementation(std::shared_ptr<Client> client, const PoolOptions& pool, std::shared_ptr<Poller> poller);
  ~Implementation();
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;

  // Any thread.
  int descriptor() const { return poller_->descriptor(); }
  bool begin(EngineCall& call) noexcept;
  void deliver(Completion& ended, Executor* executor) noexcept;
  void cancel(EngineCall& call) noexcept;
  void close() noexcept;
  bool closed() const noexcept;
  bool is_driven_by_this_thread() const noexcept { return driver_ == std::this_thread::get_id(); }
  PoolStatistics statistics() const;

  void run_ready();

  /// True in a child that another thread forked in the middle of a round.
  bool is_torn() const noexcept { return poller_->is_of_parent() && is_changing_.load(std::memory_order_acquire); }
  /// There: what was delivered since.
  Completions take_refused();

 private:
  static constexpr std::size_t most_received_at_once = 65'536;
  static constexpr std::size_t most_spare_flights = 64;

  using Action = CallMachine::Action;
  using Stage = EngineCall::Stage;
  using Wanted = EngineCall::Wanted;
  using Queue = IntrusiveQueue<EngineCall>;

  // engine.cpp: a round.
  void read_sockets();
  bool flush(LoopConnection& connection);
  void run_handlers(std::size_t turn);
  void take_inbox();
  void fire_timers();
  void pump_dirty_nodes();
  void set_timer() noexcept;
  void rest() noexcept;
  void rest_inbox();
  void hand_over() noexcept;
  void set_changing(bool is_changing) noexcept;
  void complete(EngineCall& call) noexcept;
  void end_all(const Error& error);
  void end_all_in(Queue& queue, const Error& error);
  void end_all_waiting(const Error& error);
  void run_ready_in_child();
  void run_refused();
  void end_everything();
  void close_all_connections();

  // engine_calls.cpp: the life of a call. What is done aside gives the next action later, unless it returns one.
  template <class Step>
  void within_memory_of(EngineCall& call, Step step) noexcept;
  void admit(EngineCall& call);
  void renew_credentials();
  void split(EngineCall& call);
  void end_part(EngineCall& part, Result<Exchanged> result);
  void advance(EngineCall& call, Action action);
  void take_steps(EngineCall& call, Action action);
  std::optional<Action> locate_node(EngineCall& call);
  std::optional<Action> follow_redirect(EngineCall& call);
  std::optional<Action> learn_topology(EngineCall& call);
  Action after_locating(EngineCall& call, const Result<NodeHandle>& located);
  void take_topology();
  void load_functions_for(EngineCall& call);
  Action after_loading(EngineCall& call, const Result<std::optional<CallFailure>>& outcome);
  Action repeat_if_loaded_since(EngineCall& call, Action action, Time sent_at);
  bool ask_replica(EngineCall& call);
  bool send_to_replica(EngineCall& call, NodeHandle replica, Time ends);
  void ask_primary_instead(EngineCall& call);
  template <class Work, class Take>
  void run_aside(Work work, Take take);
  void start(std::unique_ptr<Errand> errand);
  template <class Work, class Resume>
  void run_once(SharedErrand<EngineCall>& errand, Work work, Resume resume);
  static void wait_in(Queue& queue, EngineCall& call, Stage stage);
  void unlink(EngineCall& call);
  void on_due(EngineCall& call);
  void end_stage(EngineCall& call);
  void note_left_in_flight(const EngineCall& call);
  void fail(EngineCall& call, CallFailure failure);
  void finish_call(EngineCall& call);
  void end(EngineCall& call, Result<Exchanged> result);
  void take_replies(EngineCall& call, const Passenger& passenger, std::span<Reply> replies,
                    const LoopConnection& connection, Time sent_at);
  static std::span<const Reply> own_replies(const EngineCall& call);
  Action judge(EngineCall& call, std::span<const Reply> replies, const Passenger& passenger) const;
  void take_time(EngineCall& call, Time sent_at);

  // engine_nodes.cpp: servers, connections to them, and the calls that wait for one.
  LoopNode& node_of(const NodeHandle& handle);
  void enqueue(EngineCall& call, const NodeHandle& handle);
  void mark_dirty(LoopNode& node);
  void pump(LoopNode& node);
  void open_connections(LoopNode& node);
  void dial(LoopNode& node);
  void take_dialed(LoopNode& node, Result<Connection> dialed);
  Result<void> take_connection(LoopNode& node, Connection connection);
  void make_room_for_connection(LoopNode& node);
  void fail_waiting(LoopNode& node);
  void fail_first(LoopNode& node, const Error& error);
  static Error late_for_connection(const LoopNode& node);
  void tidy(LoopNode& node);
  void drain(LoopNode& node, std::unique_ptr<LoopConnection> connection);
  void close_connection(LoopNode& node, const LoopConnection& connection, std::string_view reason);
  void on_due(LoopNode& node);
  void suspect_others(LoopNode& node);
  void send_away(LoopNode& node);
  template <class Use>
  void for_each_waiting(Queue& queue, Use use);
  template <class Use>
  static void for_each_connection(LoopNode& node, Use use);
  std::size_t most_exclusive() const { return std::max<std::size_t>(pool_.size + pool_.max_overflow, 2) - 1; }

  // engine_flights.cpp: what is in the air.
  void send_shared(LoopNode& node);
  void send_alone(LoopNode& node);
  void board(PassengerFlight& aboard, LoopNode& node, EngineCall& call);
  Result<void> load(PassengerFlight& aboard, const LoopNode& node, EngineCall& call);
  void send(LoopConnection& connection, std::unique_ptr<PassengerFlight> flight);
  std::unique_ptr<PassengerFlight> spare_flight();
  void note_sent(const PassengerFlight& flight);
  void note_landed(const PassengerFlight& flight);
  void retire_flight(std::unique_ptr<PassengerFlight> flight);
  void on_due(LoopConnection& connection);
  void watch_time_out(LoopConnection& connection);
  void receive(LoopConnection& connection);
  Result<void> receive_all(LoopConnection& connection);
  Result<void> take_answered(LoopConnection& connection);
  void hand_out(LoopConnection& connection, PassengerFlight& aboard);
  void lose(LoopConnection& connection, const Error& error, std::optional<bool> may_repeat = {});
  static const Passenger* find_blamed(LoopConnection& connection, const Error& error);
  void lose_flight(PassengerFlight& flight, const Error& error, bool may_repeat, bool may_have_acted);
  void put_back(PassengerFlight& flight, const Passenger* but, bool was_sent);
  void wait_in_front(EngineCall& call);
  void note_use(LoopConnection& connection);

  const std::shared_ptr<Client> client_;
  const PoolOptions pool_;
  const std::shared_ptr<Poller> poller_;
  const std::shared_ptr<Inbox> inbox_;
  std::atomic<std::thread::id> driver_{};
  OneAtATime rounds_;
  std::atomic<bool> is_changing_{false};    ///< The driver is in a round, and in no handler.
  std::atomic<std::size_t> unanswered_{0};  ///< Commands, those included that were given up in flight.
  std::atomic<std::size_t> living_{0};      ///< Calls that were taken over and not completed.
  std::atomic<bool> has_handlers_{false};   ///< Some calls have ended, and were neither told nor posted.
  std::atomic<bool> is_closed_{false};
  bool was_closed_ = false;  ///< The calls that waited then have been told.
  Time now_{};
  TimerWheel<LoopTimer> wheel_;
  std::optional<Time> timer_set_to_;
  std::unordered_map<const Node*, std::unique_ptr<LoopNode>> nodes_;
  LoopNode* latest_node_ = nullptr;
  std::vector<LoopNode*> dirty_nodes_;
  std::vector<LoopNode*> pumped_nodes_;                              ///< Those that were dirty.
  std::vector<std::unique_ptr<LoopConnection>> closed_connections_;  ///< Of this round.
  SharedErrand<EngineCall> locating_;                                ///< For calls whose node is not known.
  SharedErrand<EngineCall> following_;                               ///< For calls that were sent to an unknown node.
  SharedErrand<EngineCall> learning_;                                ///< For calls whose node is suspect.
  Queue paused_;                                                     ///< Calls that will be repeated.
  bool is_renewing_credentials_ = false;
  std::vector<std::pair<Executor*, Completions>> ended_;
  Completions ended_here_;
  std::vector<std::unique_ptr<PassengerFlight>> spare_flights_;
  std::vector<LoopConnection*> unread_;  ///< See LoopConnection::is_unread.
  std::unique_ptr<char[]> received_;
  // Of statistics(), which other threads call.
  std::atomic<std::size_t> servers_{0};
  std::atomic<std::size_t> connections_{0};
  std::atomic<std::size_t> in_use_{0};
  std::atomic<std::size_t> queued_{0};
  std::atomic<std::size_t> in_flight_{0};
  std::atomic<std::size_t> flights_{0};
};

/// The call ends if there is no memory for the step, and no other call notices.
template <class Step>
void Engine::Implementation::within_memory_of(EngineCall& call, Step step) noexcept {
  try {
    step();
  } catch (const std::bad_alloc&) {
    end(call, std::unexpected(out_of_memory()));
  }
}

/// `take` is given what came of `work`, unless the engine is gone by then; inside this function if there is no memory.
template <class Work, class Take>
void Engine::Implementation::run_aside(Work work, Take take) {
  std::unique_ptr<Errand> errand;
  try {
    errand = std::make_unique<ErrandOf<Work, Take>>(std::move(work), std::move(take));
  } catch (const std::bad_alloc&) {
    return take(std::invoke_result_t<Work&>(std::unexpected(out_of_memory())));
  }
  start(std::move(errand));
}

/// Unless it runs already. Then `resume` is given each call that waits for it, with what came of it, and gives the
/// call's next action, or none.
template <class Work, class Resume>
void Engine::Implementation::run_once(SharedErrand<EngineCall>& errand, Work work, Resume resume) {
  if (std::exchange(errand.is_running, true)) return;
  run_aside(std::move(work), [this, &errand, resume = std::move(resume)](auto outcome) {
    errand.is_running = false;
    for_each_waiting(errand.waiting, [&](EngineCall& call) {
      within_memory_of(call, [&] {
        if (const std::optional<Action> action = resume(call, outcome)) advance(call, *action);
      });
    });
  });
}

/// Takes each call out that waits now. `use` may have it wait there again.
template <class Use>
void Engine::Implementation::for_each_waiting(Queue& queue, Use use) {
  for (auto left = queue.size(); left > 0 && !queue.empty(); --left) {
    auto& call = *queue.front();
    unlink(call);
    use(call);
  }
}

template <class Use>
void Engine::Implementation::for_each_connection(LoopNode& node, Use use) {
  if (node.main) use(*node.main);
  for (auto* const some : {&node.exclusive, &node.draining}) {
    for (const auto& connection : *some) use(*connection);
  }
}

}}}  // namespace obol::v0::redis

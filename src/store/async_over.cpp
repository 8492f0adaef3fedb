// Calls that are made when they begin; their handlers wait for the thread that drives.
#include "obol/async_over.hpp"

#include <atomic>
#include <chrono>
#include <mutex>
#include <system_error>
#include <thread>
#include <type_traits>

#include "base/fork_registration.hpp"
#include "base/on_exit.hpp"
#include "base/one_at_a_time.hpp"
#include "redis/loop/poller.hpp"
#include "store/written_session.hpp"
#include "values/async_errors.hpp"
#include "values/closed_error.hpp"
#include "values/last_handlers.hpp"

namespace obol { inline namespace v0 {
namespace {

std::unique_ptr<redis::Poller> make_poller() {
  auto poller = redis::Poller::create();
  if (!poller) throw std::system_error(poller.error().code, poller.error().message);
  return std::move(*poller);
}

}  // namespace

class [[gnu::visibility("hidden")]] AsyncAdapter::Implementation {
 public:
  explicit Implementation(std::shared_ptr<SessionStore> store) : store_(std::move(store)) {}
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;
  ~Implementation() {
    is_closed_ = true;
    run_last_handlers([this] {
      take();
      return std::move(ready_);
    });
  }

  template <class Work>
  auto call(CallOptions options, Work work);

  SessionStore& store() const { return *store_; }
  int descriptor() const { return poller_->descriptor(); }
  bool is_closed() const { return is_closed_ || poller_->is_of_parent(); }
  bool is_driven_by_this_thread() const { return driver_ == std::this_thread::get_id(); }

  void deliver(Completion& ended, Executor* executor) noexcept {
    if (executor != nullptr) return executor->post(Completions(ended));
    bool was_empty = false;
    {
      const std::scoped_lock lock(mutex_);
      was_empty = ended_.empty();
      ended_.push_back(ended);
    }
    if (was_empty) poller_->wake();
  }

  // Handlers that the handlers of this round add are of the next one.
  void run_ready() {
    const OneAtATime::Visit visit(rounds_);
    driver_ = std::this_thread::get_id();
    if (!poller_->is_of_parent()) poller_->next_events();
    const OnExit done([this] {
      if (!ready_.empty()) poller_->wake();
    });
    take();
    ready_.run();
  }

 private:
  void take() {
    const std::scoped_lock lock(mutex_);
    ready_.append(std::move(ended_));
  }

  const std::shared_ptr<SessionStore> store_;
  const std::unique_ptr<redis::Poller> poller_ = make_poller();
  std::mutex mutex_;
  Completions ended_;  ///< Wait for the next round.
  Completions ready_;  ///< Of the thread that drives. After a handler has thrown: those behind it.
  OneAtATime rounds_;
  std::atomic<std::thread::id> driver_;
  std::atomic<bool> is_closed_ = false;
  ForkRegistration fork_registration_{mutex_};
};

namespace {

template <class Adapter, class Work>
class AdaptedCall final : public PendingCall<std::invoke_result_t<Work&, SessionStore&>>, public Completion {
 public:
  using Outcome = std::invoke_result_t<Work&, SessionStore&>;

  AdaptedCall(Adapter& adapter, CallOptions options, Work work)
      : adapter_(adapter), options_(std::move(options)), work_(std::move(work)) {}

  bool begin(Receiver<Outcome>& receiver) override {
    receiver_ = &receiver;
    if (adapter_.is_closed()) {
      fail(closed_error());
    } else if (auto refused = refusal_of(options_)) {
      fail(std::move(*refused));
    } else {
      this->outcome = work_(adapter_.store());
    }
    return true;
  }
  void defer() noexcept override { adapter_.deliver(*this, options_.executor); }
  void abandon() noexcept override { receiver_ = nullptr; }
  void cancel() noexcept override {}
  std::optional<std::chrono::milliseconds> time_limit() const override { return std::nullopt; }
  Result<std::chrono::milliseconds> longest_wait() const override {
    if (adapter_.is_driven_by_this_thread()) return std::unexpected(driving_thread_error());
    return std::chrono::milliseconds(0);
  }

 private:
  void fail(Error error) { this->outcome = Outcome(std::unexpect, typename Outcome::error_type{std::move(error)}); }
  void complete() override {
    std::unique_ptr<PendingCall<Outcome>> self(this);
    if (receiver_ != nullptr) receiver_->receive(std::move(self));
  }
  void drop() noexcept override {
    const std::unique_ptr<AdaptedCall> self(this);
    if (receiver_ != nullptr) receiver_->drop();
  }

  Adapter& adapter_;
  const CallOptions options_;
  Work work_;
  Receiver<Outcome>* receiver_ = nullptr;
};

}  // namespace

template <class Work>
auto AsyncAdapter::Implementation::call(CallOptions options, Work work) {
  using Call = AdaptedCall<Implementation, Work>;
  return AsyncCall<typename Call::Outcome>(std::make_unique<Call>(*this, std::move(options), std::move(work)));
}

AsyncAdapter::AsyncAdapter(std::shared_ptr<SessionStore> store)
    : implementation_(std::make_unique<Implementation>(std::move(store))) {}
AsyncAdapter::~AsyncAdapter() = default;
SessionStore& AsyncAdapter::adapted() const noexcept { return implementation_->store(); }
int AsyncAdapter::descriptor() const { return implementation_->descriptor(); }
void AsyncAdapter::run_ready() { implementation_->run_ready(); }
void AsyncAdapter::post(Completion& ended, Executor* executor) noexcept { implementation_->deliver(ended, executor); }

AsyncCall<Result<std::optional<Session>>> AsyncAdapter::get(SessionKey key, CallOptions options) {
  return implementation_->call(std::move(options),
                               [key = std::move(key)](SessionStore& store) { return store.get(key); });
}

AsyncCall<Result<std::vector<std::optional<Session>>>> AsyncAdapter::get_many(std::vector<SessionKey> keys,
                                                                              CallOptions options) {
  return implementation_->call(std::move(options),
                               [keys = std::move(keys)](SessionStore& store) { return store.get_many(keys); });
}

AsyncCall<std::expected<UpsertedSession, UpsertError>> AsyncAdapter::upsert(Session session, CallOptions options) {
  return implementation_->call(std::move(options), [session = std::move(session)](SessionStore& store) mutable {
    return upserted(store, std::move(session));
  });
}

AsyncCall<std::expected<Session, UpsertError>> AsyncAdapter::rotate_id(Session session, CallOptions options) {
  return implementation_->call(std::move(options), [session = std::move(session)](SessionStore& store) mutable {
    return with_new_id(store, std::move(session));
  });
}

AsyncCall<Result<Deleted>> AsyncAdapter::delete_one(SessionKey key, CallOptions options) {
  return implementation_->call(std::move(options),
                               [key = std::move(key)](SessionStore& store) { return store.delete_one(key); });
}

AsyncCall<Result<std::vector<Session>>> AsyncAdapter::get_all(std::string user_id, std::string type,
                                                              CallOptions options) {
  return implementation_->call(std::move(options), [user_id = std::move(user_id), type = std::move(type)](
                                                       SessionStore& store) { return store.get_all(user_id, type); });
}

AsyncCall<Result<Deleted>> AsyncAdapter::delete_all(std::string user_id, std::string type, CallOptions options) {
  return implementation_->call(std::move(options),
                               [user_id = std::move(user_id), type = std::move(type)](SessionStore& store) {
                                 return store.delete_all(user_id, type);
                               });
}

AsyncCall<Result<Deleted>> AsyncAdapter::delete_all(std::string user_id, std::vector<std::string> types,
                                                    CallOptions options) {
  return implementation_->call(std::move(options),
                               [user_id = std::move(user_id), types = std::move(types)](SessionStore& store) {
                                 return store.delete_all(user_id, types);
                               });
}

AsyncCall<Result<Deleted>> AsyncAdapter::delete_others(SessionKey keep, CallOptions options) {
  return implementation_->call(std::move(options),
                               [keep = std::move(keep)](SessionStore& store) { return store.delete_others(keep); });
}

}}  // namespace obol::v0

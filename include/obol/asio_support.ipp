// Asynchronous stores for Asio. asio.hpp and boost_asio.hpp include this, once for each of the two libraries: OBOL_ASIO
// is the library's namespace, OBOL_ASIO_FACE ours, OBOL_ASIO_HAS_… what the library has.

namespace obol { inline namespace v0 { namespace OBOL_ASIO_FACE {

/// The completion token of calls that name none: `deferred`, or `use_awaitable` if Asio is older than 1.23.
#if defined(OBOL_ASIO_HAS_DEFERRED)
using DefaultToken = OBOL_ASIO::deferred_t;
#elif defined(OBOL_ASIO_HAS_CO_AWAIT)
using DefaultToken = OBOL_ASIO::use_awaitable_t<>;
#else
struct DefaultToken;  // Asio 1.22 knows no coroutines of Clang unless ASIO_HAS_CO_AWAIT is defined: name a token.
#endif

/// What a call may be completed with: all but the options that stand before it.
template <class Token>
concept CompletionToken =
    !std::same_as<std::remove_cvref_t<Token>, CallOptions> && !std::same_as<std::remove_cvref_t<Token>, AccessCheck>;

namespace detail {

/// The executor of a Store's calls. Each call keeps it alive.
class RoundPoster final : public Executor {
 public:
  static std::shared_ptr<RoundPoster> make(OBOL_ASIO::any_io_executor executor) {
    auto poster = std::make_shared<RoundPoster>(std::move(executor));
    poster->self_ = poster;
    return poster;
  }

  /// Use make().
  explicit RoundPoster(OBOL_ASIO::any_io_executor executor) noexcept : executor_(std::move(executor)) {}

  void post(Completions ready) noexcept override { Round(self_.lock(), std::move(ready)).post(); }

  const OBOL_ASIO::any_io_executor& executor() const noexcept { return executor_; }

 private:
  /// Calls that ended in one round, as a function for Asio that runs those of a turn, and posts the others. Between two
  /// turns the Driver sends what the first has begun, and the execution context looks after its other work. If Asio
  /// drops it, its calls are dropped.
  class Round {
   public:
    // Nearly all that share the poster are calls under way.
    Round(std::shared_ptr<RoundPoster> poster, Completions ended) noexcept
        : poster_(std::move(poster)),
          ended_(std::move(ended)),
          handlers_in_turn_(handlers_in_turn(static_cast<std::size_t>(poster_.use_count()))) {}

    // The last call may end, and destroy the executor, before Asio's post() returns. Without memory the program ends.
    // NOLINTNEXTLINE(bugprone-exception-escape)
    void post() noexcept {
      const auto executor = poster_->executor_;
      OBOL_ASIO::post(executor, std::move(*this));
    }

    void operator()() {
      try {
        ended_.run_some(handlers_in_turn_);
      } catch (...) {
        post_others();
        throw;
      }
      post_others();
    }

   private:
    // In two steps: what is posted here runs before what Asio finds when it looks at the descriptors next, such as the
    // store's.
    // NOLINTNEXTLINE(bugprone-exception-escape)
    void post_others() noexcept {
      if (ended_.empty()) return;
      const auto executor = poster_->executor_;
      OBOL_ASIO::post(executor, [others = std::move(*this)]() mutable { others.post(); });
    }

    std::shared_ptr<RoundPoster> poster_;
    Completions ended_;
    std::size_t handlers_in_turn_;
  };

  const OBOL_ASIO::any_io_executor executor_;
  std::weak_ptr<RoundPoster> self_{};
};

/// What cancels a call through its handler's cancellation slot.
enum class Cancelled { by_each_type, not_by_total, never };

/// Memory of a call: from the handler's allocator, or from Asio's cache of small pieces if it has none.
template <class CompletionHandler, class Associated = OBOL_ASIO::associated_allocator_t<CompletionHandler>>
using CallAllocator = std::conditional_t<std::same_as<Associated, std::allocator<void>>,
                                         OBOL_ASIO::recycling_allocator<void>, Associated>;

template <class CompletionHandler>
CallAllocator<CompletionHandler> allocator_of(const CompletionHandler& handler) {
  if constexpr (std::same_as<CallAllocator<CompletionHandler>, OBOL_ASIO::recycling_allocator<void>>) {
    return {};
  } else {
    return OBOL_ASIO::get_associated_allocator(handler);
  }
}

/// A handler with the outcome that it is called with.
template <class T, class CompletionHandler>
class Delivery {
 public:
  using allocator_type = CallAllocator<CompletionHandler>;

  Delivery(CompletionHandler&& handler, std::unique_ptr<PendingCall<T>> ended)
      : handler_(std::move(handler)), ended_(std::move(ended)) {}

  allocator_type get_allocator() const noexcept { return allocator_of(handler_); }

  // The slot belongs to the handler's executor, which runs this.
  void operator()() {
    if (auto slot = OBOL_ASIO::get_associated_cancellation_slot(handler_); slot.is_connected()) slot.clear();
    T outcome = std::move(ended_->outcome);
    ended_.reset();
    std::move(handler_)(std::move(outcome));
  }

 private:
  CompletionHandler handler_;
  std::unique_ptr<PendingCall<T>> ended_;
};

/// One call: from its beginning until its handler is given to the handler's executor.
template <class T, class CompletionHandler>
class Operation final : public Receiver<T> {
 public:
  Operation(CompletionHandler&& handler, const std::shared_ptr<RoundPoster>& poster)
      : handler_(std::move(handler)),
        poster_(poster),
        handler_work_(OBOL_ASIO::get_associated_executor(handler_, poster_->executor())),
        store_work_(poster_->executor()) {}
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  ~Operation() = default;

  /// `make_call` gives the AsyncCall for the options.
  template <class MakeCall>
  static void start(CompletionHandler&& handler, const std::shared_ptr<RoundPoster>& poster, Cancelled cancelled,
                    CallOptions options, MakeCall make_call) {
    auto operation = make(std::move(handler), poster);
    options.executor = operation->poster_.get();
    operation->connect_slot(cancelled, options);
    auto call = std::move(make_call)(std::move(options)).release();
    const bool is_known = call->begin(*operation);
    auto* const running = operation.release();
    auto* const begun = call.release();
    if (is_known) running->deliver_at_once(std::unique_ptr<PendingCall<T>>(begun));
  }

 private:
  using HandlerExecutor = OBOL_ASIO::associated_executor_t<CompletionHandler, OBOL_ASIO::any_io_executor>;
  using Allocator = typename std::allocator_traits<CallAllocator<CompletionHandler>>::template rebind_alloc<Operation>;
  using AllocatorTraits = std::allocator_traits<Allocator>;

  struct Destroy {
    void operator()(Operation* operation) const noexcept {
      destroy(operation, Allocator(allocator_of(operation->handler_)));
    }
  };
  using Owned = std::unique_ptr<Operation, Destroy>;

  struct RequestStop {
    std::stop_source stop;
    void operator()() noexcept { stop.request_stop(); }
  };
  struct CancelByType {
    std::stop_source stop;
    Cancelled cancelled;
    void operator()(OBOL_ASIO::cancellation_type type) noexcept {
      using enum OBOL_ASIO::cancellation_type;
      const bool is_meant =
          cancelled == Cancelled::by_each_type || (type & terminal) != none || (type & partial) != none;
      if (is_meant) stop.request_stop();
    }
  };

  static Owned make(CompletionHandler&& handler, const std::shared_ptr<RoundPoster>& poster) {
    Allocator allocator(allocator_of(handler));
    Operation* const memory = AllocatorTraits::allocate(allocator, 1);
    try {
      return Owned(std::construct_at(memory, std::move(handler), poster));
    } catch (...) {
      AllocatorTraits::deallocate(allocator, memory, 1);
      throw;
    }
  }

  void connect_slot(Cancelled cancelled, CallOptions& options) {
    if (cancelled == Cancelled::never) return;
    auto slot = OBOL_ASIO::get_associated_cancellation_slot(handler_);
    if (!slot.is_connected()) return;
    const std::stop_source stop;
    if (options.stop.stop_possible()) callers_stop_.emplace(std::move(options.stop), RequestStop{stop});
    options.stop = stop.get_token();
    slot.assign(CancelByType{stop, cancelled});
  }

  void receive(std::unique_ptr<PendingCall<T>> ended) override {
    // Both kinds of work last until the handler's executor has the handler.
    const auto store_work = std::move(store_work_);
    const auto handler_work = std::move(handler_work_);
    OBOL_ASIO::dispatch(handler_work.get_executor(), delivery(std::move(ended)));
  }

  void deliver_at_once(std::unique_ptr<PendingCall<T>> ended) {
    const auto handler_work = std::move(handler_work_);
#ifdef OBOL_ASIO_HAS_IMMEDIATE_EXECUTOR
    const auto immediate = OBOL_ASIO::get_associated_immediate_executor(handler_, handler_work.get_executor());
    OBOL_ASIO::dispatch(immediate, delivery(std::move(ended)));
#else
    OBOL_ASIO::post(handler_work.get_executor(), delivery(std::move(ended)));
#endif
  }

  void drop() noexcept override { Destroy()(this); }

  static void destroy(Operation* operation, Allocator allocator) noexcept {
    AllocatorTraits::destroy(allocator, operation);
    AllocatorTraits::deallocate(allocator, operation, 1);
  }

  /// Destroys this, so that the memory is free before the handler runs.
  Delivery<T, CompletionHandler> delivery(std::unique_ptr<PendingCall<T>> ended) {
    const Allocator allocator(allocator_of(handler_));
    Delivery<T, CompletionHandler> delivery(std::move(handler_), std::move(ended));
    destroy(this, allocator);
    return delivery;
  }

  CompletionHandler handler_;
  std::shared_ptr<RoundPoster> poster_;
  OBOL_ASIO::executor_work_guard<HandlerExecutor> handler_work_;
  OBOL_ASIO::executor_work_guard<OBOL_ASIO::any_io_executor> store_work_;
  std::optional<std::stop_callback<RequestStop>> callers_stop_;
};

/// Begins a call once Asio has made a handler of the token.
template <class T, class Wrapped, class MakeCall>
class Initiation {
 public:
  using executor_type = OBOL_ASIO::any_io_executor;

  Initiation(Wrapped& store, const std::shared_ptr<RoundPoster>& poster, Cancelled cancelled, MakeCall make_call)
      : store_(&store), poster_(&poster), cancelled_(cancelled), make_call_(std::move(make_call)) {}

  executor_type get_executor() const noexcept { return (*poster_)->executor(); }

  template <class CompletionHandler, class... Arguments>
  void operator()(CompletionHandler&& handler, CallOptions options, Arguments&&... arguments) {
    Operation<T, std::decay_t<CompletionHandler>>::start(
        std::decay_t<CompletionHandler>(std::forward<CompletionHandler>(handler)), *poster_, cancelled_,
        std::move(options), [&](CallOptions&& completed) {
          return make_call_(*store_, std::forward<Arguments>(arguments)..., std::move(completed));
        });
  }

 private:
  Wrapped* store_;
  const std::shared_ptr<RoundPoster>* poster_;  ///< The Store's.
  Cancelled cancelled_;
  MakeCall make_call_;
};

/// Whose calls take completion tokens: a store, or a session manager.
template <class Wrapped>
class Face {
 public:
  using executor_type = OBOL_ASIO::any_io_executor;  ///< As Asio's own objects have it.

  Face(const Face&) = delete;
  Face& operator=(const Face&) = delete;

  /// Returns the executor of the constructor.
  executor_type get_executor() const noexcept { return poster_->executor(); }

 protected:
  Face(Wrapped& wrapped, executor_type executor) : wrapped_(wrapped), poster_(RoundPoster::make(std::move(executor))) {}
  ~Face() = default;

  template <class T, class Token, class MakeCall, class... Arguments>
  auto read(std::remove_reference_t<Token>& token, MakeCall make_call, CallOptions&& options,
            Arguments&&... arguments) {
    return initiate<T, Token>(Cancelled::by_each_type, token, std::move(make_call), std::move(options),
                              std::forward<Arguments>(arguments)...);
  }
  template <class T, class Token, class MakeCall, class... Arguments>
  auto write(std::remove_reference_t<Token>& token, MakeCall make_call, CallOptions&& options,
             Arguments&&... arguments) {
    return initiate<T, Token>(Cancelled::not_by_total, token, std::move(make_call), std::move(options),
                              std::forward<Arguments>(arguments)...);
  }
  template <class T, class Token, class MakeCall, class... Arguments>
  auto initiate(Cancelled cancelled, std::remove_reference_t<Token>& token, MakeCall make_call, CallOptions&& options,
                Arguments&&... arguments) {
    return OBOL_ASIO::async_initiate<Token, void(T)>(
        Initiation<T, Wrapped, MakeCall>(wrapped_, poster_, cancelled, std::move(make_call)), token, std::move(options),
        std::forward<Arguments>(arguments)...);
  }

 private:
  Wrapped& wrapped_;
  std::shared_ptr<RoundPoster> poster_;
};

/// The store of a Driver, and the wait for its descriptor, which keeps this alive.
class Watch : public std::enable_shared_from_this<Watch> {
 public:
  Watch(AsyncSessionStore& store, const OBOL_ASIO::any_io_executor& executor)
      : store_(&store), descriptor_(executor, store.descriptor()) {}
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  // The descriptor is the store's: not to be closed, also if begin() has thrown.
  ~Watch() { end(); }

  void begin() {
    const std::lock_guard lock(mutex_);
    wait();
  }

  void end() noexcept {
    const std::lock_guard lock(mutex_);
    if (std::exchange(store_, nullptr) != nullptr) static_cast<void>(descriptor_.release());
  }

 private:
  void wait() {
    if (store_ == nullptr) return;
    descriptor_.async_wait(OBOL_ASIO::posix::descriptor_base::wait_read,
                           [self = this->shared_from_this()](const auto& error) {
                             if (!error) self->run();
                           });
  }

  void run() {
    const std::lock_guard lock(mutex_);
    if (store_ == nullptr) return;
    try {
      store_->run_ready();
    } catch (...) {
      wait();
      throw;
    }
    wait();
  }

  std::recursive_mutex mutex_{};  ///< A handler may destroy the Driver.
  AsyncSessionStore* store_;      ///< Null once it is driven no more.
  OBOL_ASIO::posix::stream_descriptor descriptor_;
};

}  // namespace detail

/// An asynchronous store whose calls take completion tokens: of Asio's kinds, such as use_awaitable, use_future or a
/// function. A token's signature is `void(Result<…>)`, or `void(std::expected<…, UpsertError>)`: errors are values, and
/// no call throws anything but std::bad_alloc. The arguments in front of the token, and the outcome, are those of the
/// store's own call. Calls may be begun in any thread.
///
/// Calls that end in one round reach the executor of this together. From there each handler is dispatched to its own
/// associated executor; both executors have work until then. A call whose outcome is known at once is posted
/// instead, or goes to the handler's associated immediate executor (Asio 1.27 or newer).
///
/// A handler's cancellation slot cancels the call, as CallOptions::stop does: calls that read by every type of
/// cancellation; those that write by `terminal` and `partial` alone, since the server may have acted. The outcome is
/// `cancelled`.
///
/// Somebody must drive the store: a Driver, for example. The store must outlive this, and the executor's context the
/// store. This may be destroyed before its calls have ended, but not while a `deferred` call has not begun.
template <class Wrapped = AsyncSessionStore>
class Store : public detail::Face<Wrapped> {
 public:
  /// A store, and where its calls are completed if a handler has no executor of its own.
  Store(Wrapped& store, OBOL_ASIO::any_io_executor executor) : detail::Face<Wrapped>(store, std::move(executor)) {}
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  ~Store() = default;

  /// See AsyncSessionStore::get. CallOptions::executor has no effect, here and below.
  template <CompletionToken Token = DefaultToken>
  auto get(SessionKey key, CallOptions options, Token&& token = Token()) {
    return this->template read<Result<std::optional<Session>>, Token>(
        token, [](Wrapped& store, auto&&... with) { return store.get(std::forward<decltype(with)>(with)...); },
        std::move(options), std::move(key));
  }
  /// The same, without options; here and below.
  template <CompletionToken Token = DefaultToken>
  auto get(SessionKey key, Token&& token = Token()) {
    return get(std::move(key), CallOptions{}, std::forward<Token>(token));
  }

  /// See AsyncSessionStore::get_many.
  template <CompletionToken Token = DefaultToken>
  auto get_many(std::vector<SessionKey> keys, CallOptions options, Token&& token = Token()) {
    return this->template read<Result<std::vector<std::optional<Session>>>, Token>(
        token, [](Wrapped& store, auto&&... with) { return store.get_many(std::forward<decltype(with)>(with)...); },
        std::move(options), std::move(keys));
  }
  /// The same, without options.
  template <CompletionToken Token = DefaultToken>
  auto get_many(std::vector<SessionKey> keys, Token&& token = Token()) {
    return get_many(std::move(keys), CallOptions{}, std::forward<Token>(token));
  }

  /// See AsyncSessionStore::upsert.
  template <CompletionToken Token = DefaultToken>
  auto upsert(Session session, CallOptions options, Token&& token = Token()) {
    return this->template write<std::expected<UpsertedSession, UpsertError>, Token>(
        token, [](Wrapped& store, auto&&... with) { return store.upsert(std::forward<decltype(with)>(with)...); },
        std::move(options), std::move(session));
  }
  /// The same, without options.
  template <CompletionToken Token = DefaultToken>
  auto upsert(Session session, Token&& token = Token()) {
    return upsert(std::move(session), CallOptions{}, std::forward<Token>(token));
  }

  /// See AsyncSessionStore::rotate_id.
  template <CompletionToken Token = DefaultToken>
  auto rotate_id(Session session, CallOptions options, Token&& token = Token()) {
    return this->template write<std::expected<Session, UpsertError>, Token>(
        token, [](Wrapped& store, auto&&... with) { return store.rotate_id(std::forward<decltype(with)>(with)...); },
        std::move(options), std::move(session));
  }
  /// The same, without options.
  template <CompletionToken Token = DefaultToken>
  auto rotate_id(Session session, Token&& token = Token()) {
    return rotate_id(std::move(session), CallOptions{}, std::forward<Token>(token));
  }

  /// See AsyncSessionStore::delete_one.
  template <CompletionToken Token = DefaultToken>
  auto delete_one(SessionKey key, CallOptions options, Token&& token = Token()) {
    return this->template write<Result<Deleted>, Token>(
        token, [](Wrapped& store, auto&&... with) { return store.delete_one(std::forward<decltype(with)>(with)...); },
        std::move(options), std::move(key));
  }
  /// The same, without options.
  template <CompletionToken Token = DefaultToken>
  auto delete_one(SessionKey key, Token&& token = Token()) {
    return delete_one(std::move(key), CallOptions{}, std::forward<Token>(token));
  }

  /// See AsyncSessionStore::get_all.
  template <CompletionToken Token = DefaultToken>
  auto get_all(std::string user_id, std::string type, CallOptions options, Token&& token = Token()) {
    return this->template read<Result<std::vector<Session>>, Token>(
        token, [](Wrapped& store, auto&&... with) { return store.get_all(std::forward<decltype(with)>(with)...); },
        std::move(options), std::move(user_id), std::move(type));
  }
  /// The same, without options.
  template <CompletionToken Token = DefaultToken>
  auto get_all(std::string user_id, std::string type, Token&& token = Token()) {
    return get_all(std::move(user_id), std::move(type), CallOptions{}, std::forward<Token>(token));
  }

  /// See AsyncSessionStore::delete_all.
  template <CompletionToken Token = DefaultToken>
  auto delete_all(std::string user_id, std::string type, CallOptions options, Token&& token = Token()) {
    return this->template write<Result<Deleted>, Token>(
        token, [](Wrapped& store, auto&&... with) { return store.delete_all(std::forward<decltype(with)>(with)...); },
        std::move(options), std::move(user_id), std::move(type));
  }
  /// The same, without options.
  template <CompletionToken Token = DefaultToken>
  auto delete_all(std::string user_id, std::string type, Token&& token = Token()) {
    return delete_all(std::move(user_id), std::move(type), CallOptions{}, std::forward<Token>(token));
  }

  /// See AsyncSessionStore::delete_all.
  template <CompletionToken Token = DefaultToken>
  auto delete_all(std::string user_id, std::vector<std::string> types, CallOptions options, Token&& token = Token()) {
    return this->template write<Result<Deleted>, Token>(
        token, [](Wrapped& store, auto&&... with) { return store.delete_all(std::forward<decltype(with)>(with)...); },
        std::move(options), std::move(user_id), std::move(types));
  }
  /// The same, without options.
  template <CompletionToken Token = DefaultToken>
  auto delete_all(std::string user_id, std::vector<std::string> types, Token&& token = Token()) {
    return delete_all(std::move(user_id), std::move(types), CallOptions{}, std::forward<Token>(token));
  }

  /// See AsyncSessionStore::delete_others.
  template <CompletionToken Token = DefaultToken>
  auto delete_others(SessionKey keep, CallOptions options, Token&& token = Token()) {
    return this->template write<Result<Deleted>, Token>(
        token,
        [](Wrapped& store, auto&&... with) { return store.delete_others(std::forward<decltype(with)>(with)...); },
        std::move(options), std::move(keep));
  }
  /// The same, without options.
  template <CompletionToken Token = DefaultToken>
  auto delete_others(SessionKey keep, Token&& token = Token()) {
    return delete_others(std::move(keep), CallOptions{}, std::forward<Token>(token));
  }

  /// See AsyncRedisStore::get_from_replica.
  template <CompletionToken Token = DefaultToken>
    requires std::derived_from<Wrapped, AsyncRedisStore>
  auto get_from_replica(SessionKey key, CallOptions options, Token&& token = Token()) {
    return this->template read<Result<std::optional<Session>>, Token>(
        token,
        [](Wrapped& store, auto&&... with) { return store.get_from_replica(std::forward<decltype(with)>(with)...); },
        std::move(options), std::move(key));
  }
  /// The same, without options.
  template <CompletionToken Token = DefaultToken>
    requires std::derived_from<Wrapped, AsyncRedisStore>
  auto get_from_replica(SessionKey key, Token&& token = Token()) {
    return get_from_replica(std::move(key), CallOptions{}, std::forward<Token>(token));
  }

  /// See AsyncRedisStore::get_all_from_replica.
  template <CompletionToken Token = DefaultToken>
    requires std::derived_from<Wrapped, AsyncRedisStore>
  auto get_all_from_replica(std::string user_id, std::string type, CallOptions options, Token&& token = Token()) {
    return this->template read<Result<std::vector<Session>>, Token>(
        token,
        [](Wrapped& store, auto&&... with) {
          return store.get_all_from_replica(std::forward<decltype(with)>(with)...);
        },
        std::move(options), std::move(user_id), std::move(type));
  }
  /// The same, without options.
  template <CompletionToken Token = DefaultToken>
    requires std::derived_from<Wrapped, AsyncRedisStore>
  auto get_all_from_replica(std::string user_id, std::string type, Token&& token = Token()) {
    return get_all_from_replica(std::move(user_id), std::move(type), CallOptions{}, std::forward<Token>(token));
  }

  /// See AsyncRedisStore::diagnose. Cannot be cancelled.
  template <CompletionToken Token = DefaultToken>
    requires std::derived_from<Wrapped, AsyncRedisStore>
  auto diagnose(CallOptions options, Token&& token = Token()) {
    return this->template initiate<Result<std::vector<Finding>>, Token>(
        detail::Cancelled::never, token,
        [](Wrapped& store, auto&&... with) { return store.diagnose(std::forward<decltype(with)>(with)...); },
        std::move(options));
  }
  /// The same, without options.
  template <CompletionToken Token = DefaultToken>
    requires std::derived_from<Wrapped, AsyncRedisStore>
  auto diagnose(Token&& token = Token()) {
    return diagnose(CallOptions{}, std::forward<Token>(token));
  }
};

/// A session manager whose calls take completion tokens. What is said of Store holds for it: `authenticate` and `list`
/// are calls that read, the others write. The manager must outlive this.
class SessionManager : public detail::Face<AsyncSessionManager> {
 public:
  /// A manager, and where its calls are completed if a handler has no executor of its own.
  SessionManager(AsyncSessionManager& manager, OBOL_ASIO::any_io_executor executor)
      : Face(manager, std::move(executor)) {}
  SessionManager(const SessionManager&) = delete;
  SessionManager& operator=(const SessionManager&) = delete;
  ~SessionManager() = default;

  /// See SessionManager::log_in.
  template <CompletionToken Token = DefaultToken>
  auto log_in(std::string user_id, std::string extra_payload, std::chrono::sys_seconds credentials_read_at,
              CallOptions options, Token&& token = Token()) {
    return write<Result<LoggedIn>, Token>(
        token,
        [](AsyncSessionManager& manager, auto&&... with) {
          return manager.log_in(std::forward<decltype(with)>(with)...);
        },
        std::move(options), std::move(user_id), std::move(extra_payload), credentials_read_at);
  }
  /// The same, without options.
  template <CompletionToken Token = DefaultToken>
  auto log_in(std::string user_id, std::string extra_payload, std::chrono::sys_seconds credentials_read_at,
              Token&& token = Token()) {
    return log_in(std::move(user_id), std::move(extra_payload), credentials_read_at, CallOptions{},
                  std::forward<Token>(token));
  }

  /// See SessionManager::authenticate.
  template <CompletionToken Token = DefaultToken>
  auto authenticate(std::string access_token, CallOptions options, Token&& token = Token()) {
    return read<Result<std::optional<Authenticated>>, Token>(
        token,
        [](AsyncSessionManager& manager, auto&&... with) {
          return manager.authenticate(std::forward<decltype(with)>(with)...);
        },
        std::move(options), std::move(access_token));
  }
  /// The same, without options.
  template <CompletionToken Token = DefaultToken>
  auto authenticate(std::string access_token, Token&& token = Token()) {
    return authenticate(std::move(access_token), CallOptions{}, std::forward<Token>(token));
  }

  /// The same with another check than that of the options.
  template <CompletionToken Token = DefaultToken>
  auto authenticate(std::string access_token, AccessCheck check, CallOptions options, Token&& token = Token()) {
    return read<Result<std::optional<Authenticated>>, Token>(
        token,
        [](AsyncSessionManager& manager, auto&&... with) {
          return manager.authenticate(std::forward<decltype(with)>(with)...);
        },
        std::move(options), std::move(access_token), check);
  }
  /// The same, without options.
  template <CompletionToken Token = DefaultToken>
  auto authenticate(std::string access_token, AccessCheck check, Token&& token = Token()) {
    return authenticate(std::move(access_token), check, CallOptions{}, std::forward<Token>(token));
  }

  /// See SessionManager::refresh.
  template <CompletionToken Token = DefaultToken>
  auto refresh(std::string refresh_token, CallOptions options, Token&& token = Token()) {
    return write<Result<std::optional<LoggedIn>>, Token>(
        token,
        [](AsyncSessionManager& manager, auto&&... with) {
          return manager.refresh(std::forward<decltype(with)>(with)...);
        },
        std::move(options), std::move(refresh_token));
  }
  /// The same, without options.
  template <CompletionToken Token = DefaultToken>
  auto refresh(std::string refresh_token, Token&& token = Token()) {
    return refresh(std::move(refresh_token), CallOptions{}, std::forward<Token>(token));
  }

  /// The same with a change of the payload; options must be given.
  template <CompletionToken Token = DefaultToken>
  auto refresh(std::string refresh_token, PayloadChange change, CallOptions options, Token&& token = Token()) {
    return write<Result<std::optional<LoggedIn>>, Token>(
        token,
        [](AsyncSessionManager& manager, auto&&... with) {
          return manager.refresh(std::forward<decltype(with)>(with)...);
        },
        std::move(options), std::move(refresh_token), std::move(change));
  }

  /// See SessionManager::secure.
  template <CompletionToken Token = DefaultToken>
  auto secure(Session session, CallOptions options, Token&& token = Token()) {
    return write<Result<std::optional<LoggedIn>>, Token>(
        token,
        [](AsyncSessionManager& manager, auto&&... with) {
          return manager.secure(std::forward<decltype(with)>(with)...);
        },
        std::move(options), std::move(session));
  }
  /// The same, without options.
  template <CompletionToken Token = DefaultToken>
  auto secure(Session session, Token&& token = Token()) {
    return secure(std::move(session), CallOptions{}, std::forward<Token>(token));
  }

  /// The same with a change of the payload; options must be given.
  template <CompletionToken Token = DefaultToken>
  auto secure(Session session, PayloadChange change, CallOptions options, Token&& token = Token()) {
    return write<Result<std::optional<LoggedIn>>, Token>(
        token,
        [](AsyncSessionManager& manager, auto&&... with) {
          return manager.secure(std::forward<decltype(with)>(with)...);
        },
        std::move(options), std::move(session), std::move(change));
  }

  /// See SessionManager::touch.
  template <CompletionToken Token = DefaultToken>
  auto touch(Session session, CallOptions options, Token&& token = Token()) {
    return write<Result<std::optional<Session>>, Token>(
        token,
        [](AsyncSessionManager& manager, auto&&... with) {
          return manager.touch(std::forward<decltype(with)>(with)...);
        },
        std::move(options), std::move(session));
  }
  /// The same, without options.
  template <CompletionToken Token = DefaultToken>
  auto touch(Session session, Token&& token = Token()) {
    return touch(std::move(session), CallOptions{}, std::forward<Token>(token));
  }

  /// See SessionManager::list.
  template <CompletionToken Token = DefaultToken>
  auto list(std::string user_id, CallOptions options, Token&& token = Token()) {
    return read<Result<std::vector<Session>>, Token>(
        token,
        [](AsyncSessionManager& manager, auto&&... with) {
          return manager.list(std::forward<decltype(with)>(with)...);
        },
        std::move(options), std::move(user_id));
  }
  /// The same, without options.
  template <CompletionToken Token = DefaultToken>
  auto list(std::string user_id, Token&& token = Token()) {
    return list(std::move(user_id), CallOptions{}, std::forward<Token>(token));
  }

  /// See SessionManager::log_out.
  template <CompletionToken Token = DefaultToken>
  auto log_out(SessionKey session, CallOptions options, Token&& token = Token()) {
    return write<Result<Deleted>, Token>(
        token,
        [](AsyncSessionManager& manager, auto&&... with) {
          return manager.log_out(std::forward<decltype(with)>(with)...);
        },
        std::move(options), std::move(session));
  }
  /// The same, without options.
  template <CompletionToken Token = DefaultToken>
  auto log_out(SessionKey session, Token&& token = Token()) {
    return log_out(std::move(session), CallOptions{}, std::forward<Token>(token));
  }

  /// See SessionManager::log_out_others.
  template <CompletionToken Token = DefaultToken>
  auto log_out_others(SessionKey keep, CallOptions options, Token&& token = Token()) {
    return write<Result<Deleted>, Token>(
        token,
        [](AsyncSessionManager& manager, auto&&... with) {
          return manager.log_out_others(std::forward<decltype(with)>(with)...);
        },
        std::move(options), std::move(keep));
  }
  /// The same, without options.
  template <CompletionToken Token = DefaultToken>
  auto log_out_others(SessionKey keep, Token&& token = Token()) {
    return log_out_others(std::move(keep), CallOptions{}, std::forward<Token>(token));
  }

  /// See SessionManager::log_out_everywhere.
  template <CompletionToken Token = DefaultToken>
  auto log_out_everywhere(std::string user_id, CallOptions options, Token&& token = Token()) {
    return write<Result<Deleted>, Token>(
        token,
        [](AsyncSessionManager& manager, auto&&... with) {
          return manager.log_out_everywhere(std::forward<decltype(with)>(with)...);
        },
        std::move(options), std::move(user_id));
  }
  /// The same, without options.
  template <CompletionToken Token = DefaultToken>
  auto log_out_everywhere(std::string user_id, Token&& token = Token()) {
    return log_out_everywhere(std::move(user_id), CallOptions{}, std::forward<Token>(token));
  }
};

/// Drives a store from an executor of Asio: waits for its descriptor, and calls run_ready(). Handlers of calls without
/// an executor run there, those of a Store on their own executors. While a Driver lives, `run()` of its execution
/// context does not return for lack of work.
///
/// An exception out of a handler leaves `run()` of the execution context; call that again, and the store is driven on.
/// The store must outlive this, and so must the execution context.
class Driver {
 public:
  /// Begins to drive. Throws system_error of Asio if the descriptor cannot be watched, for example since another Driver
  /// of the same execution context watches it.
  Driver(AsyncSessionStore& store, const OBOL_ASIO::any_io_executor& executor)
      : watch_(std::make_shared<detail::Watch>(store, executor)) {
    watch_->begin();
  }
  /// Ends to drive: afterwards run_ready() runs no more. Waits for it if another thread is inside; may run in a
  /// handler.
  ~Driver() { watch_->end(); }
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

 private:
  std::shared_ptr<detail::Watch> watch_;
};

}}}  // namespace obol::v0::OBOL_ASIO_FACE

// Asynchronous stores through Asio on real servers: the conformance suites, and what a held call does.
#include <csignal>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "asio/library.hpp"
#include "obol/async_redis_store.hpp"
#include "obol/testing/policy_conformance.hpp"
#include "obol/testing/store_conformance.hpp"
#include "support/server_test.hpp"
#include "support/sessions.hpp"

namespace obol::testing {
namespace {

/// An asynchronous store that a thread drives with Asio, as one that blocks.
class ThroughAsio final : public SessionStore {
 public:
  explicit ThroughAsio(const RedisStoreOptions& options) : store_(AsyncRedisStore::connect(options).value()) {}
  ~ThroughAsio() override { context_.stop(); }
  ThroughAsio(const ThroughAsio&) = delete;
  ThroughAsio& operator=(const ThroughAsio&) = delete;

  face::Store<AsyncRedisStore>& sessions() { return sessions_; }

  Result<std::optional<Session>> get(const SessionKey& key) override {
    return sessions_.get(key, net::use_future).get();
  }
  Result<std::vector<std::optional<Session>>> get_many(std::span<const SessionKey> keys) override {
    return sessions_.get_many({keys.begin(), keys.end()}, net::use_future).get();
  }
  std::expected<Upserted, UpsertError> upsert(Session& session) override {
    auto outcome = sessions_.upsert(session, net::use_future).get();
    if (!outcome) return std::unexpected(std::move(outcome.error()));
    session = std::move(outcome->session);
    return Upserted(std::move(*outcome));
  }
  std::expected<void, UpsertError> rotate_id(Session& session) override {
    auto outcome = sessions_.rotate_id(session, net::use_future).get();
    if (!outcome) return std::unexpected(std::move(outcome.error()));
    session = std::move(*outcome);
    return {};
  }
  Result<Deleted> delete_one(const SessionKey& key) override {
    return sessions_.delete_one(key, net::use_future).get();
  }
  Result<std::vector<Session>> get_all(std::string_view user_id, std::string_view type) override {
    return sessions_.get_all(std::string(user_id), std::string(type), net::use_future).get();
  }
  Result<Deleted> delete_all(std::string_view user_id, std::string_view type) override {
    return sessions_.delete_all(std::string(user_id), std::string(type), net::use_future).get();
  }
  Result<Deleted> delete_all(std::string_view user_id, std::span<const std::string> types) override {
    return sessions_.delete_all(std::string(user_id), std::vector(types.begin(), types.end()), net::use_future).get();
  }
  Result<Deleted> delete_others(const SessionKey& keep) override {
    return sessions_.delete_others(keep, net::use_future).get();
  }

 private:
  net::io_context context_;
  AsyncRedisStore store_;
  face::Driver driver_{store_, context_.get_executor()};
  face::Store<AsyncRedisStore> sessions_{store_, context_.get_executor()};
  std::jthread thread_{[this] { context_.run(); }};
};

template <ServerKind kind>
struct AsioFactory {
  std::unique_ptr<SessionStore> make_store(SessionPolicy policy = {}) {
    auto options = options_for(server);
    options.policy = policy;
    return std::make_unique<ThroughAsio>(options);
  }
  std::unique_ptr<SessionStore> make_second_store(SessionPolicy policy = {}) { return make_store(policy); }
  TestServer server{kind};
};
using RedisThroughAsio = AsioFactory<ServerKind::redis>;
using ValkeyThroughAsio = AsioFactory<ServerKind::valkey>;

class AsioServerTest : public ServerTest {
 protected:
  ThroughAsio store_{options_for(server)};
};

TEST_P(AsioServerTest, CancelsACallThatItsServerHolds) {
  auto session = new_session();
  ASSERT_TRUE(store_.upsert(session));
  server.signal(SIGSTOP);
  net::cancellation_signal cancel;
  std::promise<std::error_code> code;
  store_.sessions().get(session.key(),
                        net::bind_cancellation_slot(cancel.slot(), [&](const Result<std::optional<Session>>& found) {
                          code.set_value(found ? std::error_code() : found.error().code);
                        }));
  net::post(store_.sessions().get_executor(), [&] { cancel.emit(net::cancellation_type::total); });
  EXPECT_EQ(code.get_future().get(), ErrorCode::cancelled);
  server.signal(SIGCONT);
  EXPECT_EQ(store_.get(session.key()).value(), session);
}

TEST_P(AsioServerTest, OffersWhatOnlyARedisStoreHas) {
  auto session = new_session();
  ASSERT_TRUE(store_.upsert(session));
  auto& sessions = store_.sessions();
  EXPECT_EQ(sessions.get_from_replica(session.key(), net::use_future).get().value(), session);
  EXPECT_EQ(sessions.get_all_from_replica("user", "full", net::use_future).get().value(), std::vector{session});
  EXPECT_TRUE(sessions.diagnose(net::use_future).get());
}

OBOL_ON_BOTH_SERVERS(AsioServerTest);

}  // namespace

INSTANTIATE_TYPED_TEST_SUITE_P(RedisThroughAsio, StoreConformance, RedisThroughAsio);
INSTANTIATE_TYPED_TEST_SUITE_P(RedisThroughAsio, PolicyConformance, RedisThroughAsio);
INSTANTIATE_TYPED_TEST_SUITE_P(ValkeyThroughAsio, StoreConformance, ValkeyThroughAsio);
INSTANTIATE_TYPED_TEST_SUITE_P(ValkeyThroughAsio, PolicyConformance, ValkeyThroughAsio);

}  // namespace obol::testing

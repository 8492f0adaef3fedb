// What tests of operations share: sessions as a server holds them, and answers.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sealing/cbor.hpp"
#include "sealing/cose_mac0.hpp"
#include "sealing/sealing.hpp"
#include "store/operation.hpp"
#include "support/recording_observer.hpp"
#include "support/replies.hpp"
#include "support/sessions.hpp"

namespace obol::testing {

class OperationTest : public ::testing::Test {
 protected:
  OperationTest() {
    options.observer = observer;
    cache.come_into_use(server);
    cache.extend_use(NearCache::Time::time_point::max());
  }

  StoreContext context() const { return {.options = options}; }
  StoreContext cached_context() { return {.options = options, .cache = &cache}; }

  /// As the server holds it, signed with this key and stored under this one.
  std::string sealed(const Session& given, char key = 'k') const {
    return sealing::seal(given, stored_key, Keyring(signing_key(key)), options.encryption).value();
  }

  /// What a later version of Obol might store.
  std::string sealed_in_newer_format(const Session& given) const {
    std::string payload;
    sealing::cbor::Writer(payload).map(1).unsigned_integer(1).unsigned_integer(99);
    std::string bound_to;
    sealing::cbor::Writer(bound_to)
        .array(4)
        .text("obol")
        .bytes(stored_key)
        .bytes(given.id)
        .unsigned_integer(given.lock_version);
    auto bytes = sealing::encode_lock_version(given.lock_version);
    EXPECT_TRUE(sealing::write_mac0(bytes, keyring.keys()->current(), bound_to, payload));
    return bytes;
  }

  template <class Operation>
  std::optional<Request> tell(Operation& operation, std::span<const redis::Reply> replies, bool is_past = false) {
    return operation.take(
        {.replies = replies, .answered_by = server, .is_past = is_past, .now = now, .keyring = keyring});
  }
  template <class Operation>
  std::optional<Request> tell(Operation& operation, const redis::Reply& reply, bool is_past = false) {
    return tell(operation, std::span(&reply, 1), is_past);
  }

  /// True if the near cache has the session.
  bool is_kept(const Session& given) { return cache.find(stored_key, given.id) == given; }
  void keep(const Session& given) { cache.keep(cache.begin_read(stored_key), server, stored_key, given); }

  static constexpr redis::ServerIdentity server{1};
  const std::string stored_key = "obol_{user}:full";
  const Keyring keyring{signing_key()};
  const Now now = std::chrono::sys_days(std::chrono::January / 1 / 2026);
  const std::shared_ptr<RecordingObserver> observer = std::make_shared<RecordingObserver>();
  RedisStoreOptions options;
  NearCache cache{64 * 64 * 1024};
  const Session session = [this] {
    auto made = new_session();
    made.lock_version = 7;
    made.refresh_expires_at = std::chrono::floor<std::chrono::seconds>(now) + std::chrono::hours(1);
    return made;
  }();
  const Session expired = [this] {
    auto made = session;
    made.refresh_expires_at = std::chrono::floor<std::chrono::seconds>(now);
    return made;
  }();
};

/// The words of a request's only command.
inline std::vector<std::string> words_of(const std::optional<Request>& request) {
  EXPECT_TRUE(request.has_value());
  if (!request) return {};
  EXPECT_EQ(request->commands.size(), 1U);
  return words_of(request->commands.front());
}

inline Error lost() { return {ErrorCode::timeout, "no answer came"}; }

}  // namespace obol::testing

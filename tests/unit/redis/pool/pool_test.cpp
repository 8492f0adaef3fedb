// A pool over scripted connections: what no server can be made to do at will.
#include "redis/pool/pool.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstring>
#include <limits>
#include <memory>
#include <string>

#include "redis/net/socket.hpp"
#include "support/descriptor.hpp"
#include "support/listener.hpp"
#include "support/scripted_stream.hpp"

namespace obol::redis { namespace {

using std::chrono::milliseconds;
using testing::Script;

/// A peer that begins to send without an end once it has a command.
std::shared_ptr<Script> flood() {
  auto script = std::make_shared<Script>();
  script->on_write = [](Script& written) { written.endless = ">1\r\n+news\r\n"; };
  return script;
}

/// A peer that takes a few KiB in and reads nothing until it is told to.
class SlowPeer {
 public:
  SlowPeer() {
    const int few = 4096;
    ::setsockopt(listener_.descriptor(), SOL_SOCKET, SO_RCVBUF, &few, sizeof few);
  }

  Result<Connection> connect(Deadline deadline) const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(listener_.port());
    Address to{.length = sizeof address};
    std::memcpy(&to.storage, &address, sizeof address);
    auto socket = Socket::connect_tcp({to}, deadline);
    if (!socket) return std::unexpected(socket.error());
    return Connection(std::make_unique<Socket>(std::move(*socket)), 1024, false);
  }

  /// Reads until the connection ends: how many bytes came.
  std::size_t read_all() const {
    const testing::Descriptor connection(::accept4(listener_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC));
    std::array<char, 4096> buffer;
    std::size_t sum = 0;
    for (;;) {
      const auto received = ::recv(connection.number(), buffer.data(), buffer.size(), 0);
      if (received <= 0) return sum;
      sum += static_cast<std::size_t>(received);
    }
  }

 private:
  testing::Listener listener_;
};

TEST(PoolTest, DoesNotSendTheRestOfACommandThatNobodyWaitsForAnyMore) {
  const SlowPeer peer;
  RetryBudget budget;
  Pool pool(
      {.size = 1, .max_overflow = 0}, {}, budget, [&](Deadline deadline) { return peer.connect(deadline); },
      [](const Connection&, std::string_view) {});
  const Command command{"SET", "key", std::string(65'536, 'x')};
  const auto reply = pool.call(command, Deadline::after(milliseconds(100)));
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().error.code, ErrorCode::timeout) << reply.error().error.message;
  EXPECT_LT(peer.read_all(), command.bytes().size());
}

TEST(PoolTest, EndsACallThatPollsByItsDeadlineWhileThePeerKeepsSending) {
  RetryBudget budget;
  constexpr auto no_limit = std::numeric_limits<std::size_t>::max() / 2;
  Pool pool(
      {.size = 1, .max_overflow = 0, .busy_wait = milliseconds(1)}, {}, budget,
      [](Deadline) { return Connection(std::make_unique<testing::ScriptedStream>(flood()), no_limit, false); },
      [](const Connection&, std::string_view) {});
  const auto reply = pool.call({"GET", "key"}, Deadline::after(milliseconds(100)));
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().error.code, ErrorCode::timeout) << reply.error().error.message;
}

}}  // namespace obol::redis

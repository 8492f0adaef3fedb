// What the other tests rely on: that a FaultProxy does to connections what a network does.
#include "support/fault_proxy.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <string_view>
#include <thread>

#include "redis/protocol/command.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

using FaultProxyTest = ServerTest;

int connected_to(const ConnectionOptions& options) {
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  options.unix_socket.copy(address.sun_path, sizeof address.sun_path - 1);
  EXPECT_EQ(::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return descriptor;
}

void send_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ASSERT_GT(sent, 0);
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

// It would act behind what the client sends over its next connection.
TEST_P(FaultProxyTest, KeepsNothingThatTheServerDoesNotTakeOnceTheClientIsGone) {
  constexpr std::size_t commands = 500;
  const FaultProxy proxy(server);
  const int client = connected_to(proxy.connection());
  server.signal(SIGSTOP);
  const redis::Command push{"RPUSH", "list", std::string(10'000, 'x')};
  for (std::size_t i = 0; i < commands; ++i) ASSERT_NO_FATAL_FAILURE(send_all(client, push.bytes()));
  while (proxy.commands() < commands) std::this_thread::yield();
  ::close(client);
  // It has seen the end once it has served a connection that came later.
  const int later = connected_to(proxy.connection());
  send_all(later, redis::Command{"PING"}.bytes());
  while (proxy.commands() == commands) std::this_thread::yield();
  ::close(later);
  server.signal(SIGCONT);
  const auto clients = [&] {
    const auto list = server.command({"CLIENT", "LIST"});
    return std::ranges::count(list.text, '\n');
  };
  while (clients() > 1) std::this_thread::yield();
  EXPECT_LT(server.command({"LLEN", "list"}).integer, static_cast<long long>(commands));
}

OBOL_ON_BOTH_SERVERS(FaultProxyTest);

}}  // namespace obol::testing

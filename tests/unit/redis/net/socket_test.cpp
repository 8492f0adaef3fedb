// Sockets to a listener of the test's own.
#include "redis/net/socket.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "support/descriptor.hpp"

namespace obol::redis { namespace {

using std::chrono::milliseconds;
using testing::Descriptor;

/// Interrupts the system calls of the thread that made it, many times each millisecond.
class Interruptions {
 public:
  Interruptions() = default;
  ~Interruptions() {
    thread_.request_stop();
    thread_.join();
    ::sigaction(SIGUSR1, &before_, nullptr);
  }
  Interruptions(const Interruptions&) = delete;
  Interruptions& operator=(const Interruptions&) = delete;

 private:
  static struct sigaction install() {
    struct sigaction action{};
    struct sigaction before{};
    action.sa_handler = [](int) {};  // Without SA_RESTART.
    ::sigaction(SIGUSR1, &action, &before);
    return before;
  }

  struct sigaction before_ = install();
  std::jthread thread_{[target = ::pthread_self()](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      ::pthread_kill(target, SIGUSR1);
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }};
};

/// Listens, takes nobody in, and is full.
class FullListener {
 public:
  FullListener() {
    std::string name = (std::filesystem::temp_directory_path() / "obol-full-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    const auto* const at = reinterpret_cast<const sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_.number(), at, sizeof address), 0);
    EXPECT_EQ(::listen(listener_.number(), 0), 0);
    do {
      waiting_.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    } while (::connect(waiting_.back().number(), at, sizeof address) == 0);
  }
  ~FullListener() { std::filesystem::remove_all(folder_); }
  FullListener(const FullListener&) = delete;
  FullListener& operator=(const FullListener&) = delete;

  std::string path() const { return (folder_ / "s").string(); }

 private:
  std::filesystem::path folder_;
  Descriptor listener_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::vector<Descriptor> waiting_;
};

TEST(Socket, IsNotTakenForConnectedWhereTheWaitForAFullServerIsInterrupted) {
  const FullListener server;
  const Interruptions interruptions;
  const auto socket = Socket::connect_unix(server.path(), Deadline::after(milliseconds(200)));
  ASSERT_FALSE(socket.has_value());
  EXPECT_EQ(socket.error().code, ErrorCode::unavailable);
}

}}  // namespace obol::redis

// Starts and stops servers by process id.
#include "support/test_server.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

#include "redis/core/deadline.hpp"
#include "redis/net/socket.hpp"

namespace obol::testing {
namespace {

const char* variable_of(ServerKind kind) {
  switch (kind) {
    case ServerKind::redis:
      return "OBOL_REDIS_SERVER";
    case ServerKind::valkey:
      return "OBOL_VALKEY_SERVER";
    case ServerKind::redis7:
      return "OBOL_REDIS7_SERVER";
  }
  return "";
}

std::string program_of(ServerKind kind) {
  const char* program = std::getenv(variable_of(kind));
  if (program != nullptr && *program != '\0') return program;
  throw std::runtime_error(
      fmt::format("{} is not set: run scripts/test, or source .deps/environment", variable_of(kind)));
}

bool answers(const std::string& socket_path) {
  const auto deadline = redis::Deadline::after(std::chrono::seconds(1));
  auto socket = redis::Socket::connect_unix(socket_path, deadline);
  char byte = 0;
  return socket && socket->write_all("PING\r\n", deadline) && socket->read_some(&byte, 1, deadline);
}

std::string contents(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

}  // namespace

std::string name_of(ServerKind kind) {
  switch (kind) {
    case ServerKind::redis:
      return "Redis";
    case ServerKind::valkey:
      return "Valkey";
    case ServerKind::redis7:
      return "Redis7";
  }
  return "";
}

TestServer::TestServer(ServerKind kind, std::vector<std::string> arguments, ServerExtras extras)
    : kind_(kind), arguments_(std::move(arguments)), extras_(std::move(extras)) {
  std::string name = (std::filesystem::temp_directory_path() / "obol-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  folder_ = name;
  if (!extras_.configuration.empty()) std::ofstream(configuration_file()) << extras_.configuration;
  start();
}

TestServer::~TestServer() {
  stop();
  // A child that saves for the server outlives it for a moment, and still makes files.
  std::error_code error;
  do std::filesystem::remove_all(folder_, error);
  while (error == std::errc::no_such_file_or_directory || error == std::errc::directory_not_empty);
}

void TestServer::start() {
  std::vector<std::string> words{program_of(kind_)};
  if (!extras_.configuration.empty()) words.push_back(configuration_file().string());
  words.insert(words.end(), {"--port", "0", "--unixsocket", socket_path(), "--save", "", "--appendonly", "no", "--dir",
                             folder_.string(), "--logfile", "log", "--loglevel", "warning"});
  words.insert(words.end(), arguments_.begin(), arguments_.end());
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);

  process_ = ::fork();
  if (process_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::execv(pointers[0], pointers.data());
    ::_exit(127);
  }
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!answers(socket_path())) {
    int status = 0;
    const bool ended = ::waitpid(process_, &status, WNOHANG) == process_;
    if (ended) process_ = -1;
    if (ended || std::chrono::steady_clock::now() > give_up) {
      throw std::runtime_error(fmt::format("{} did not start: {}", words[0], contents(folder_ / "log")));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void TestServer::stop() {
  if (process_ <= 0) return;
  signal(SIGKILL);
  ::waitpid(process_, nullptr, 0);
  process_ = -1;
}

void TestServer::signal(int number) const { ::kill(process_, number); }

ConnectionOptions TestServer::connection() const {
  ConnectionOptions options;
  options.unix_socket = socket_path();
  return options;
}

redis::Reply TestServer::command(std::initializer_list<std::string_view> words) const {
  const redis::Command command(words);
  return std::move(commands({&command, 1}).front());
}

// By hand: a Connection refuses replicas and servers that are too old.
std::vector<redis::Reply> TestServer::commands(std::span<const redis::Command> commands) const {
  const auto deadline = redis::Deadline::after(std::chrono::seconds(10));
  auto socket = redis::Socket::connect_unix(socket_path(), deadline);
  if (!socket) throw std::runtime_error(socket.error().message);
  const auto hello = extras_.password.empty() ? redis::Command{"HELLO", "3"}
                                              : redis::Command{"HELLO", "3", "AUTH", extras_.user, extras_.password};
  std::string bytes(hello.bytes());
  for (const auto& command : commands) bytes += command.bytes();
  if (auto sent = socket->write_all(bytes, deadline); !sent) throw std::runtime_error(sent.error().message);
  redis::ReplyReader reader(64 * 1024 * 1024);
  std::array<char, 16'384> buffer{};
  std::vector<redis::Reply> replies;
  while (replies.size() < commands.size() + 1) {
    auto reply = reader.next();
    if (!reply) throw std::runtime_error(reply.error().message);
    if (*reply) {
      replies.push_back(std::move(**reply));
      continue;
    }
    const auto received = socket->read_some(buffer.data(), buffer.size(), deadline);
    if (!received) throw std::runtime_error(received.error().message);
    reader.feed({buffer.data(), *received});
  }
  replies.erase(replies.begin());
  return replies;
}

}  // namespace obol::testing

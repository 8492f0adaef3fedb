// Starts servers and sentinels, and looks at them through INFO and SENTINEL.
#include "support/test_sentinel.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <map>
#include <optional>
#include <utility>

#include "support/await.hpp"

namespace obol::testing {
namespace {

constexpr const char* host = "127.0.0.1";

bool has_role(const TestServer& server, std::string_view role) {
  return server.command({"INFO", "replication"}).text.contains(fmt::format("role:{}\r\n", role));
}

}  // namespace

struct TestSentinel::Member {
  ReservedPort port{};
  std::unique_ptr<TestServer> process{};
  bool runs = true;
};

TestSentinel::TestSentinel(ServerKind kind, SentinelLayout layout) : kind_(kind), layout_(std::move(layout)) {
  if (layout_.uses_tls) {
    authority_ = std::make_unique<Authority>();
    files_ = authority_->issue("server", "IP:127.0.0.1");
  }
  for (std::size_t i = 0; i < 1 + layout_.replicas; ++i) add_server();
  // A sentinel asks a primary seldom for its replicas.
  await("the replicas to follow", [this] {
    return std::ranges::all_of(running(servers_), [this](Node node) { return node == 0 || follows(node, 0); });
  });
  for (std::size_t i = 0; i < layout_.sentinels; ++i) add_sentinel();
  await_whole();
}

TestSentinel::~TestSentinel() = default;

std::vector<std::string> TestSentinel::listening_on(const ReservedPort& port) const {
  auto arguments = layout_.uses_tls ? authority_->server_arguments(files_) : std::vector<std::string>{};
  arguments.insert(arguments.end(),
                   {"--bind", host, layout_.uses_tls ? "--tls-port" : "--port", fmt::format("{}", port.number())});
  return arguments;
}

// Each has a configuration that sentinels may rewrite: that is how it knows its role after a restart.
void TestSentinel::add_server() {
  auto member = std::make_unique<Member>();
  auto arguments = listening_on(member->port);
  arguments.insert(arguments.end(), {"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"});
  if (!layout_.password.empty()) {
    arguments.insert(arguments.end(), {"--requirepass", layout_.password, "--masterauth", layout_.password});
  }
  arguments.insert(arguments.end(), layout_.arguments.begin(), layout_.arguments.end());
  const auto role =
      servers_.empty() ? std::string("# The first primary.\n") : fmt::format("replicaof {} {}\n", host, port(0));
  member->process = std::make_unique<TestServer>(kind_, std::move(arguments),
                                                 ServerExtras{.configuration = role, .password = layout_.password});
  servers_.push_back(std::move(member));
}

void TestSentinel::add_sentinel() {
  auto member = std::make_unique<Member>();
  auto arguments = listening_on(member->port);
  arguments.insert(arguments.begin(), "--sentinel");
  member->process = std::make_unique<TestServer>(
      kind_, arguments,
      ServerExtras{.configuration = sentinel_configuration(),
                   .user = layout_.sentinel_user.empty() ? "default" : layout_.sentinel_user,
                   .password = layout_.sentinel_password});
  sentinels_.push_back(std::move(member));
  hurry(sentinels_.size() - 1);
}

// Source: https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/
std::string TestSentinel::sentinel_configuration() const {
  std::string text = fmt::format(
      "sentinel monitor {0} {1} {2} {3}\n"
      "sentinel down-after-milliseconds {0} {4}\n"
      "sentinel failover-timeout {0} 3000\n"
      "sentinel parallel-syncs {0} {5}\n",
      primary_name, host, port(0), layout_.sentinels / 2 + 1, layout_.down_after.count(), layout_.replicas);
  if (!layout_.password.empty()) text += fmt::format("sentinel auth-pass {} {}\n", primary_name, layout_.password);
  if (layout_.sentinel_password.empty()) return text;
  if (layout_.sentinel_user.empty()) {
    text += fmt::format("requirepass {}\n", layout_.sentinel_password);
  } else {
    text += fmt::format("user {0} on >{1} ~* &* +@all\nuser default off\nsentinel sentinel-user {0}\n",
                        layout_.sentinel_user, layout_.sentinel_password);
  }
  return text + fmt::format("sentinel sentinel-pass {}\n", layout_.sentinel_password);
}

// Ten times as eager as it comes to look around, to tell the others, and to trust its clock again (TILT) after the
// machine has stood still. But a replica is fit for promotion only where its last INFO is no older than five pings, and
// while its primary is away it is asked for one each second, whatever the period is.
void TestSentinel::hurry(std::size_t sentinel) const {
  ask(sentinel, {"SENTINEL", "DEBUG", "PING-PERIOD", "300", "INFO-PERIOD", "300", "ASK-PERIOD", "100", "PUBLISH-PERIOD",
                 "200", "TILT-PERIOD", "3000"});
}

std::string TestSentinel::uri() const {
  std::vector<std::string> seeds;
  for (const auto& member : sentinels_) seeds.push_back(fmt::format("{}:{}", host, member->port.number()));
  std::vector<std::string> parameters;
  if (!layout_.sentinel_user.empty()) parameters.push_back("sentinel_username=" + layout_.sentinel_user);
  if (!layout_.sentinel_password.empty()) parameters.push_back("sentinel_password=" + layout_.sentinel_password);
  if (layout_.uses_tls) parameters.push_back("ca_file=" + authority_->ca_file());
  return fmt::format("{}+sentinel://{}{}/{}{}{}", layout_.uses_tls ? "rediss" : "redis",
                     layout_.password.empty() ? "" : fmt::format(":{}@", layout_.password), fmt::join(seeds, ","),
                     primary_name, parameters.empty() ? "" : "?", fmt::join(parameters, "&"));
}

ConnectionOptions TestSentinel::connection() const { return ConnectionOptions::from_uri(uri()).value(); }

const TestServer& TestSentinel::server(Node node) const { return *servers_.at(node)->process; }

const TestServer& TestSentinel::sentinel(std::size_t number) const { return *sentinels_.at(number)->process; }

std::uint16_t TestSentinel::port(Node node) const { return servers_.at(node)->port.number(); }

redis::Reply TestSentinel::command(Node node, std::initializer_list<std::string_view> words) const {
  return server(node).command(words);
}

redis::Reply TestSentinel::ask(std::size_t number, std::initializer_list<std::string_view> words) const {
  return sentinel(number).command(words);
}

std::vector<std::size_t> TestSentinel::running(const Members& members) {
  std::vector<std::size_t> numbers;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (members[i]->runs) numbers.push_back(i);
  }
  return numbers;
}

TestSentinel::Node TestSentinel::primary() const {
  std::map<std::string, std::size_t> votes;
  for (const auto number : running(sentinels_)) {
    const auto address = ask(number, {"SENTINEL", "GET-MASTER-ADDR-BY-NAME", primary_name});
    if (address.elements.size() == 2) ++votes[std::string(address.elements.back().text)];
  }
  const auto most = std::ranges::max_element(votes, {}, [](const auto& vote) { return vote.second; });
  for (Node node = 0; node < servers_.size(); ++node) {
    if (most != votes.end() && most->first == fmt::format("{}", port(node))) return node;
  }
  throw std::runtime_error("no sentinel names a primary");
}

void TestSentinel::kill(Node node) {
  servers_.at(node)->process->stop();
  servers_[node]->runs = false;
}

void TestSentinel::restart(Node node) {
  kill(node);
  servers_[node]->process->start();
  servers_[node]->runs = true;
}

void TestSentinel::restart_all() {
  for (Node node = 0; node < servers_.size(); ++node) kill(node);
  for (std::size_t i = 0; i < sentinels_.size(); ++i) kill_sentinel(i);
  for (Node node = 0; node < servers_.size(); ++node) restart(node);
  for (std::size_t i = 0; i < sentinels_.size(); ++i) restart_sentinel(i);
}

void TestSentinel::pause(Node node) {
  server(node).signal(SIGSTOP);
  servers_[node]->runs = false;
}

void TestSentinel::resume(Node node) {
  server(node).signal(SIGCONT);
  servers_[node]->runs = true;
}

void TestSentinel::kill_sentinel(std::size_t number) {
  sentinels_.at(number)->process->stop();
  sentinels_[number]->runs = false;
}

void TestSentinel::restart_sentinel(std::size_t number) {
  kill_sentinel(number);
  sentinels_[number]->process->start();
  sentinels_[number]->runs = true;
  hurry(number);
}

// Refused while another fail-over goes on.
TestSentinel::Node TestSentinel::fail_over() {
  const auto before = primary();
  const auto number = running(sentinels_).front();
  auto next_try = std::chrono::steady_clock::now();
  // A sentinel gives up a fail-over that goes on for too long on a busy machine.
  await("a fail-over by hand", [&] {
    const auto now = primary();
    if (now != before) return has_role(server(now), "master");
    if (std::chrono::steady_clock::now() < next_try) return false;
    if (ask(number, {"SENTINEL", "FAILOVER", primary_name}).is_error()) return false;
    next_try = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    return false;
  });
  return primary();
}

TestSentinel::Node TestSentinel::await_primary_other_than(Node before) const {
  await("another primary", [&] {
    const auto now = primary();
    return now != before && has_role(server(now), "master");
  });
  return primary();
}

void TestSentinel::await_whole() const {
  await("all to follow the primary, and the sentinels to know them", [this] {
    const auto first = primary();
    const auto nodes = running(servers_);
    const auto numbers = running(sentinels_);
    return has_role(server(first), "master") &&
           std::ranges::all_of(nodes, [&](Node node) { return node == first || follows(node, first); }) &&
           std::ranges::all_of(numbers, [&](std::size_t number) { return knows_all(number); });
  });
}

bool TestSentinel::follows(Node node, Node primary) const {
  const auto told = command(node, {"INFO", "replication"});
  return told.text.contains(fmt::format("master_port:{}\r\n", port(primary))) &&
         told.text.contains("master_link_status:up");
}

bool TestSentinel::knows_all(std::size_t number) const {
  const auto told = ask(number, {"SENTINEL", "MASTER", primary_name});
  const auto says = [&](std::string_view name, const std::string& text) {
    const auto* value = told.find(name);
    return value != nullptr && value->text == text;
  };
  return says("flags", "master") && says("num-slaves", fmt::format("{}", servers_.size() - 1)) &&
         says("num-other-sentinels", fmt::format("{}", sentinels_.size() - 1));
}

}  // namespace obol::testing

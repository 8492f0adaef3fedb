// Forms a cluster by hand and looks at it through CLUSTER NODES.
#include "support/test_cluster.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <map>
#include <ranges>
#include <stdexcept>
#include <utility>

#include "support/await.hpp"

namespace obol::testing {
namespace {

constexpr std::size_t slot_count = 16'384;
constexpr const char* address_of_all = "127.0.0.1";

std::uint64_t number_in(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (const auto part : std::views::split(text, separator)) parts.emplace_back(part.begin(), part.end());
  return parts;
}

bool says(const TestServer& server, std::initializer_list<std::string_view> question, std::string_view text) {
  return server.command(question).text.find(text) != std::string::npos;
}

}  // namespace

struct TestCluster::Member {
  enum class State { runs, is_paused, is_dead, is_removed };

  ReservedPort port;
  ReservedPort bus_port;
  State state = State::runs;
  std::unique_ptr<TestServer> server{};
  std::string id{};
};

/// One node as another sees it.
struct TestCluster::Seen {
  std::optional<Node> node{};  ///< None: not (yet) known by this id.
  bool is_primary = false;
  bool is_sound = false;  ///< Linked, and neither failing nor being introduced.
  std::optional<Node> primary{};
  std::uint64_t epoch = 0;
  std::vector<std::pair<Slot, Slot>> slots{};

  bool operator==(const Seen&) const = default;
};

TestCluster::TestCluster(ServerKind kind, ClusterLayout layout) : kind_(kind), layout_(std::move(layout)) {
  if (layout_.uses_tls) {
    authority_ = std::make_unique<Authority>();
    files_ = authority_->issue("node", "DNS:localhost,IP:127.0.0.1");
  }
  const auto primaries = layout_.primaries;
  for (Node node = 0; node < primaries * (1 + layout_.replicas_each); ++node) add_member();
  for (Node node = 0; node < size(); ++node) {
    // Else two begin with the same epoch, and need time to see it.
    require(node, {{"CLUSTER", "SET-CONFIG-EPOCH", fmt::format("{}", node + 1)}});
    for (Node to = 0; to < node; ++to) introduce(node, to);
    if (node >= primaries) continue;
    const auto first = slot_count * node / primaries;
    const auto last = slot_count * (node + 1) / primaries - 1;
    require(node, {{"CLUSTER", "ADDSLOTSRANGE", fmt::format("{}", first), fmt::format("{}", last)}});
  }
  for (Node node = primaries; node < size(); ++node) follow(node, node % primaries);
  await_whole();
}

TestCluster::~TestCluster() = default;

TestCluster::Node TestCluster::add_member() {
  auto member = std::make_unique<Member>();
  member->server =
      std::make_unique<TestServer>(kind_, arguments_of(*member), ServerExtras{.password = layout_.password});
  member->id = member->server->command({"CLUSTER", "MYID"}).text;
  members_.push_back(std::move(member));
  return size() - 1;
}

std::vector<std::string> TestCluster::arguments_of(const Member& member) const {
  const auto port = fmt::format("{}", member.port.number());
  std::vector<std::string> arguments{"--bind",
                                     address_of_all,
                                     layout_.uses_tls ? "--tls-port" : "--port",
                                     port,
                                     "--cluster-enabled",
                                     "yes",
                                     "--cluster-port",
                                     fmt::format("{}", member.bus_port.number()),
                                     "--cluster-node-timeout",
                                     fmt::format("{}", layout_.node_timeout.count()),
                                     "--cluster-replica-validity-factor",
                                     "0",
                                     "--cluster-allow-replica-migration",
                                     "no",
                                     "--repl-diskless-sync-delay",
                                     "0",
                                     "--repl-ping-replica-period",
                                     "1"};
  const auto add = [&](std::initializer_list<std::string> more) { arguments.insert(arguments.end(), more); };
  if (layout_.uses_tls) {
    add({"--tls-cluster", "yes"});
    std::ranges::copy(authority_->server_arguments(files_), std::back_inserter(arguments));
  }
  if (!layout_.hostname.empty()) {
    add({"--cluster-announce-hostname", layout_.hostname, "--cluster-preferred-endpoint-type", "hostname"});
  }
  if (!layout_.password.empty()) add({"--requirepass", layout_.password, "--masterauth", layout_.password});
  arguments.insert(arguments.end(), layout_.arguments.begin(), layout_.arguments.end());
  return arguments;
}

std::string TestCluster::uri() const {
  std::vector<std::string> seeds;
  for (Node node = 0; node < layout_.primaries * (1 + layout_.replicas_each); ++node) seeds.push_back(address(node));
  return fmt::format("{}+cluster://{}{}{}", layout_.uses_tls ? "rediss" : "redis",
                     layout_.password.empty() ? "" : fmt::format(":{}@", layout_.password), fmt::join(seeds, ","),
                     layout_.uses_tls ? fmt::format("?ca_file={}", authority_->ca_file()) : "");
}

ConnectionOptions TestCluster::connection() const { return ConnectionOptions::from_uri(uri()).value(); }

std::string TestCluster::host() const { return layout_.hostname.empty() ? address_of_all : layout_.hostname; }

std::uint16_t TestCluster::port(Node node) const { return members_.at(node)->port.number(); }

std::string TestCluster::address(Node node) const { return fmt::format("{}:{}", host(), port(node)); }

const TestServer& TestCluster::server(Node node) const { return *members_.at(node)->server; }

redis::Reply TestCluster::command(Node node, std::initializer_list<std::string_view> words) const {
  return server(node).command(words);
}

// What is refused for a passing reason, such as a replica that is not linked yet, is asked for again.
void TestCluster::demand(Node node, const std::vector<redis::Command>& commands) const {
  for (const auto& reply : server(node).commands(commands)) {
    if (reply.is_error()) throw std::runtime_error(fmt::format("node {} refused: {}", node, reply.text));
  }
}

void TestCluster::require(Node node, const std::vector<redis::Command>& commands) const {
  auto left = commands;
  await(fmt::format("node {} to accept: {}", node, commands.front().bytes()), [&] {
    const auto replies = server(node).commands(left);
    std::vector<redis::Command> refused;
    std::string reason;
    for (std::size_t i = 0; i < left.size(); ++i) {
      if (!replies[i].is_error()) continue;
      refused.push_back(left[i]);
      reason = replies[i].text;
    }
    left = std::move(refused);
    if (!left.empty()) throw std::runtime_error(reason);
    return true;
  });
}

void TestCluster::introduce(Node node, Node to) const {
  const auto& other = *members_.at(to);
  require(node, {{"CLUSTER", "MEET", address_of_all, fmt::format("{}", other.port.number()),
                  fmt::format("{}", other.bus_port.number())}});
}

void TestCluster::follow(Node replica, Node primary) const {
  require(replica, {{"CLUSTER", "REPLICATE", members_.at(primary)->id}});
}

// One that forgets may tell others, which then know nothing to forget.
void TestCluster::forget(Node node, Node gone) const {
  await(fmt::format("node {} to forget node {}", node, gone), [&] {
    command(node, {"CLUSTER", "FORGET", members_.at(gone)->id});
    return std::ranges::none_of(view_from(node), [&](const Seen& seen) { return seen.node == gone; });
  });
}

TestCluster::Slot TestCluster::slot_of(std::string_view key) const {
  return static_cast<Slot>(command(running().front(), {"CLUSTER", "KEYSLOT", key}).integer);
}

std::vector<TestCluster::Node> TestCluster::running() const {
  std::vector<Node> nodes;
  for (Node node = 0; node < size(); ++node) {
    if (members_[node]->state == Member::State::runs) nodes.push_back(node);
  }
  return nodes;
}

// Source: https://redis.io/docs/latest/commands/cluster-nodes/
TestCluster::Seen TestCluster::read(std::string_view line) const {
  const auto words = split(line, ' ');
  const auto flags = split(words.at(2), ',');
  const auto has = [&](std::string_view flag) { return std::ranges::find(flags, flag) != flags.end(); };
  const auto node_of = [&](std::string_view id) -> std::optional<Node> {
    const auto found = std::ranges::find(members_, id, [](const auto& member) -> const auto& { return member->id; });
    return found == members_.end() ? std::nullopt : std::optional(static_cast<Node>(found - members_.begin()));
  };
  Seen seen{.node = node_of(words[0]), .is_primary = has("master"), .primary = node_of(words.at(3))};
  seen.is_sound = !has("fail") && !has("fail?") && !has("handshake") && (has("myself") || words.at(7) == "connected");
  seen.epoch = number_in(words.at(6));
  for (const auto& word : words | std::views::drop(8)) {
    if (word.starts_with('[')) continue;  // On its way.
    const auto ends = split(word, '-');
    seen.slots.emplace_back(number_in(ends.front()), number_in(ends.back()));
  }
  return seen;
}

TestCluster::View TestCluster::view_from(Node node) const {
  View view;
  const auto told = command(node, {"CLUSTER", "NODES"});
  for (const auto line : split(told.text, '\n')) {
    if (!line.empty()) view.push_back(read(line));
  }
  std::ranges::sort(view, {}, &Seen::node);
  return view;
}

// Whoever serves slots serves them since a later epoch than those before.
TestCluster::View TestCluster::latest_view() const {
  View latest;
  std::uint64_t latest_epochs = 0;
  for (const auto node : running()) {
    auto view = view_from(node);
    std::uint64_t epochs = 0;
    for (const auto& seen : view) epochs += seen.slots.empty() ? 0 : seen.epoch;
    if (!latest.empty() && epochs <= latest_epochs) continue;
    latest = std::move(view);
    latest_epochs = epochs;
  }
  return latest;
}

std::vector<TestCluster::Node> TestCluster::primaries() const {
  std::vector<Node> nodes;
  for (const auto& seen : latest_view()) {
    if (seen.node && seen.is_primary && seen.is_sound) nodes.push_back(*seen.node);
  }
  return nodes;
}

std::vector<TestCluster::Node> TestCluster::replicas_of(Node primary) const {
  std::vector<Node> nodes;
  for (const auto& seen : latest_view()) {
    if (seen.node && seen.primary == primary && seen.is_sound) nodes.push_back(*seen.node);
  }
  return nodes;
}

// Who has just got a slot, or lost one, knows before the others do. Where nobody that runs has it, they say who had it.
TestCluster::Node TestCluster::other_primary(Node than) const {
  for (const auto node : primaries()) {
    if (node != than) return node;
  }
  throw std::runtime_error("there is no other primary");
}

TestCluster::Node TestCluster::primary_of(Slot slot) const {
  const auto serves = [slot](const Seen& seen) {
    return std::ranges::any_of(seen.slots,
                               [slot](const auto& range) { return range.first <= slot && slot <= range.second; });
  };
  std::optional<Seen> primary;
  for (const auto node : running()) {
    for (auto& seen : view_from(node)) {
      const bool claims = seen.node == node && seen.is_primary && serves(seen);
      if (claims && (!primary || seen.epoch > primary->epoch)) primary = std::move(seen);
    }
  }
  if (primary) return *primary->node;
  for (const auto& seen : latest_view()) {
    if (seen.node && serves(seen)) return *seen.node;
  }
  throw std::runtime_error(fmt::format("nobody serves slot {}", slot));
}

bool TestCluster::is_primary(Node node) const { return says(server(node), {"INFO", "replication"}, "role:master"); }

void TestCluster::kill(Node node) {
  members_.at(node)->server->stop();
  members_[node]->state = Member::State::is_dead;
}

void TestCluster::restart(Node node) {
  kill(node);
  members_[node]->server->start();
  members_[node]->state = Member::State::runs;
}

void TestCluster::restart_all() {
  for (Node node = 0; node < size(); ++node) {
    if (members_[node]->state != Member::State::is_removed) kill(node);
  }
  for (Node node = 0; node < size(); ++node) {
    if (members_[node]->state != Member::State::is_removed) restart(node);
  }
}

void TestCluster::pause(Node node) {
  members_.at(node)->server->signal(SIGSTOP);
  members_[node]->state = Member::State::is_paused;
}

void TestCluster::resume(Node node) {
  members_.at(node)->server->signal(SIGCONT);
  members_[node]->state = Member::State::runs;
}

void TestCluster::fail_over(Node replica, Force force) {
  auto asked_at = std::chrono::steady_clock::time_point{};
  await(fmt::format("node {} to take over", replica), [&] {
    if (is_primary(replica)) return all_see_primary(replica);
    // The server gives up after five seconds, and says so only in its log.
    if (std::chrono::steady_clock::now() - asked_at > std::chrono::seconds(6)) {
      asked_at = std::chrono::steady_clock::now();
      force == Force::yes ? command(replica, {"CLUSTER", "FAILOVER", "FORCE"})
                          : command(replica, {"CLUSTER", "FAILOVER"});
    }
    return false;
  });
}

bool TestCluster::all_see_primary(Node node) const {
  return std::ranges::all_of(running(), [&](Node other) {
    const auto view = view_from(other);
    return std::ranges::any_of(
        view, [&](const Seen& seen) { return seen.node == node && seen.is_primary && !seen.slots.empty(); });
  });
}

TestCluster::Node TestCluster::await_promotion(const std::vector<Node>& replicas) const {
  std::optional<Node> promoted;
  await("a replica to be promoted", [&] {
    const auto found = std::ranges::find_if(replicas, [&](Node replica) { return all_see_primary(replica); });
    if (found != replicas.end()) promoted = *found;
    return promoted.has_value();
  });
  return *promoted;
}

void TestCluster::await_whole() const {
  await("the cluster to be whole", [this] { return is_whole(); });
}

bool TestCluster::is_whole() const {
  const auto nodes = running();
  const auto view = view_from(nodes.front());
  return std::ranges::all_of(nodes, [&](Node node) { return is_settled(node, view); });
}

// As it sees itself and all that run, which is as they all see it.
bool TestCluster::is_settled(Node node, const View& view) const {
  if (!says(server(node), {"CLUSTER", "INFO"}, "cluster_state:ok")) return false;
  const auto own = view_from(node);
  for (const auto other : running()) {
    const auto seen = std::ranges::find(own, std::optional(other), &Seen::node);
    const auto seen_before = std::ranges::find(view, std::optional(other), &Seen::node);
    if (seen == own.end() || seen_before == view.end() || !seen->is_sound || *seen != *seen_before) return false;
  }
  const bool knows_strangers = std::ranges::any_of(own, [](const Seen& seen) { return !seen.node; });
  return !knows_strangers && (is_primary(node) || says(server(node), {"INFO", "replication"}, "master_link_status:up"));
}

void TestCluster::begin_move(Slot slot, Node to) {
  const auto from = primary_of(slot);
  const auto number = fmt::format("{}", slot);
  require(to, {{"CLUSTER", "SETSLOT", number, "IMPORTING", members_.at(from)->id}});
  require(from, {{"CLUSTER", "SETSLOT", number, "MIGRATING", members_.at(to)->id}});
}

void TestCluster::move_keys(Slot slot, Node to) { move_keys(slot, primary_of(slot), to); }

void TestCluster::move_keys(Slot slot, Node from, Node to) const {
  const auto host = std::string(address_of_all);
  const auto to_port = fmt::format("{}", port(to));
  await(fmt::format("slot {} to be empty", slot), [&] {
    const auto keys = command(from, {"CLUSTER", "GETKEYSINSLOT", fmt::format("{}", slot), "100"});
    for (const auto& key : keys.elements) {
      if (layout_.password.empty()) {
        command(from, {"MIGRATE", host, to_port, key.text, "0", "5000"});
      } else {
        command(from, {"MIGRATE", host, to_port, key.text, "0", "5000", "AUTH", layout_.password});
      }
    }
    return keys.elements.empty();
  });
}

void TestCluster::finish_move(Slot slot, Node to) {
  const auto from = primary_of(slot);
  const redis::Command command{"CLUSTER", "SETSLOT", fmt::format("{}", slot), "NODE", members_.at(to)->id};
  require(to, {command});
  if (from != to) require(from, {command});
}

// On a busy machine a fail-over that nobody ordered may take them from their primary before it lets them go.
void TestCluster::move_slots(const std::vector<Slot>& slots, Node to) {
  await(fmt::format("slots to move to node {}", to), [&] {
    std::map<Node, std::vector<Slot>> by_primary;
    for (const auto slot : slots) by_primary[primary_of(slot)].push_back(slot);
    by_primary.erase(to);
    for (const auto& [from, some] : by_primary) move_slots(some, from, to);
    return true;
  });
}

void TestCluster::move_slots(const std::vector<Slot>& slots, Node from, Node to) {
  // Valkey's replicas confirm each step of each slot; many take longer than anybody waits.
  if (kind_ == ServerKind::valkey && slots.size() > 100) return move_at_once(slots, from, to);
  const auto for_each_slot = [&](std::string_view what, Node other) {
    std::vector<redis::Command> commands;
    for (const auto slot : slots) {
      commands.push_back({"CLUSTER", "SETSLOT", fmt::format("{}", slot), what, members_.at(other)->id});
    }
    return commands;
  };
  demand(to, for_each_slot("IMPORTING", from));
  demand(from, for_each_slot("MIGRATING", to));
  for (const auto slot : slots) move_keys(slot, from, to);
  require(to, for_each_slot("NODE", to));
  require(from, for_each_slot("NODE", to));
}

// Source: https://valkey.io/commands/cluster-migrateslots/
void TestCluster::move_at_once(const std::vector<Slot>& slots, Node from, Node to) const {
  for (auto slot = slots.begin(); slot != slots.end();) {
    const auto last = std::ranges::adjacent_find(slot, slots.end(), [](Slot a, Slot b) { return a + 1 != b; });
    const auto end = last == slots.end() ? last : std::next(last);
    require(from, {{"CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", fmt::format("{}", *slot),
                    fmt::format("{}", *std::prev(end)), "NODE", members_.at(to)->id}});
    await("slots to arrive", [&] { return primary_of(*slot) == to; });
    slot = end;
  }
}

TestCluster::Node TestCluster::add_empty_primary() {
  const auto others = running();
  const auto node = add_member();
  for (const auto other : others) introduce(node, other);
  await_whole();
  return node;
}

void TestCluster::remove_primary(Node node, Node to) {
  std::vector<Slot> slots;
  for (const auto& seen : view_from(node)) {
    if (seen.node != node) continue;
    for (const auto& [first, last] : seen.slots) {
      for (std::size_t slot = first; slot <= last; ++slot) slots.push_back(static_cast<Slot>(slot));
    }
  }
  if (!slots.empty()) move_slots(slots, node, to);
  for (const auto other : running()) {
    const auto own = view_from(other);
    const auto self = std::ranges::find(own, std::optional(other), &Seen::node);
    if (self != own.end() && self->primary == node) follow(other, to);
  }
  await_whole();
  members_[node]->server->stop();
  members_[node]->state = Member::State::is_removed;
  for (const auto other : running()) forget(other, node);
  await_whole();
}

}  // namespace obol::testing

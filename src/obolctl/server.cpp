// Calls with the deadline of each, batches cut to a size that is good for both sides.
#include "obolctl/server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "obolctl/text.hpp"
#include "redis/connection/dialer.hpp"
#include "redis/core/announced_address.hpp"
#include "redis/core/sequential_search.hpp"
#include "redis/protocol/info.hpp"
#include "redis/protocol/key_slot.hpp"
#include "redis/topology/cluster.hpp"
#include "store/client_options.hpp"
#include "store/session_commands.hpp"

namespace obol::ctl {
namespace {

constexpr std::string_view any_key;  // One primary holds them all.
constexpr std::size_t most_commands_at_once = 1000;
constexpr std::size_t most_bytes_at_once = std::size_t{4} * 1024 * 1024;

Error slots_moved() {
  return {ErrorCode::unavailable,
          "slots of the cluster moved in the meantime, so some sessions may be missing; run the same command again"};
}

/// How many of the commands fit into one send.
std::size_t batch_size(std::span<const redis::Command> commands) {
  std::size_t bytes = 0;
  std::size_t count = 0;
  while (count < std::min(commands.size(), most_commands_at_once) && (count == 0 || bytes < most_bytes_at_once)) {
    bytes += commands[count++].bytes().size();
  }
  return count;
}

}  // namespace

Primary::Primary(const RedisStoreOptions& options, Of whole)
    : whole_(whole), client_(client_options(options), session_functions()) {}

// Only a primary that a slot has left, or is leaving, sends us elsewhere.
Error Primary::told(Error error) const {
  return whole_ == Of::cluster && error.code == ErrorCode::unsupported_server ? slots_moved() : std::move(error);
}

Result<void> Primary::check() {
  auto connection = client_.source().dial(client_.new_deadline());
  if (!connection) return std::unexpected(std::move(connection.error()));
  return {};
}

Result<redis::Reply> Primary::call(const redis::Command& command) {
  auto reply = client_.call(any_key, command, client_.new_deadline());
  if (!reply) return std::unexpected(told(std::move(reply.error())));
  return reply;
}

Result<redis::Inspection> Primary::inspect(std::span<const redis::Command> commands) {
  auto inspections = client_.inspect(
      any_key, [&](std::string_view) { return std::vector<redis::Command>(commands.begin(), commands.end()); });
  if (!inspections) return std::unexpected(std::move(inspections.error()));
  return std::move(inspections->front());
}

Result<std::vector<redis::Reply>> Primary::call_all(std::span<const redis::Command> commands) {
  std::vector<redis::Reply> all;
  all.reserve(commands.size());
  while (!commands.empty()) {
    const auto count = batch_size(commands);
    auto replies = client_.call_all(any_key, commands.first(count), client_.new_deadline());
    if (!replies) return std::unexpected(told(std::move(replies.error())));
    std::ranges::move(*replies, std::back_inserter(all));
    commands = commands.subspan(count);
  }
  return all;
}

std::string Primary::run_id() {
  const redis::Command command{"INFO", "server"};
  const auto inspection = inspect({&command, 1});
  if (!inspection || inspection->replies.front().is_error()) return {};
  const auto id = redis::info_field(inspection->replies.front().text, "run_id").value_or("");
  return std::string(escaped(id) == id ? id : "");
}

Result<Server> Server::connect(const RedisStoreOptions& options) {
  Server server;
  server.options_ = options;
  if (options.connection.cluster.seeds.empty()) {
    server.primaries_.push_back(std::make_unique<Primary>(options, Primary::Of::one_server));
  } else {
    auto slots = slots_of(options);
    if (!slots) return std::unexpected(std::move(slots.error()));
    server.slots_ = std::move(*slots);
    if (auto added = server.add_primaries(); !added) return std::unexpected(std::move(added.error()));
  }
  for (std::size_t i = 0; i < server.primaries_.size(); ++i) {
    auto checked = server.primaries_[i]->check();
    if (checked) continue;
    if (!server.is_cluster() || !redis::is_transient(checked.error()))
      return std::unexpected(std::move(checked.error()));
    const auto& announced = server.announced_[i];
    return std::unexpected(redis::error_with_announcement(std::move(checked.error()),
                                                          {.address = announced, .by = redis::Announcer::cluster},
                                                          redis::reachable(options.connection.address_map, announced)));
  }
  return server;
}

// Of the first seed that answers. Each may take the whole time-out: an operator waits for an answer.
Result<Server::Slots> Server::slots_of(const RedisStoreOptions& options) {
  const auto& seeds = options.connection.cluster.seeds;
  redis::SequentialSearch search(seeds.size(), redis::SequentialSearch::Reports::lasting);
  while (const auto turn = search.next()) {
    const auto& seed = seeds[turn->candidate];
    redis::Dialer dialer(redis::options_of_seed(options.connection, seed), options.max_reply_bytes);
    auto slots = redis::ask_for_slots(dialer, seed, redis::Deadline::after(options.timeouts.connect));
    if (slots) {
      std::ranges::sort(*slots, {}, &redis::SlotRange::first);
      return slots;
    }
    search.failed(std::move(slots.error()));
  }
  return std::unexpected(search.error("no node returned the slot map"));
}

Result<void> Server::add_primaries() {
  std::size_t next_slot = 0;
  for (const auto& range : slots_) {
    if (range.first != next_slot) break;
    next_slot = std::size_t{range.last} + 1;
    const auto known = std::ranges::find(announced_, range.primary);
    if (known == announced_.end()) {
      auto own = options_;
      own.connection = redis::options_of_announced(options_.connection, range.primary);
      own.connection.cluster = {};
      announced_.push_back(range.primary);
      primary_of_range_.push_back(primaries_.emplace_back(std::make_unique<Primary>(own, Primary::Of::cluster)).get());
    } else {
      primary_of_range_.push_back(primaries_[static_cast<std::size_t>(known - announced_.begin())].get());
    }
  }
  if (next_slot == redis::slot_count) return {};
  return std::unexpected(Error{ErrorCode::unavailable,
                               fmt::format("no primary of the cluster serves slot {}; check its nodes", next_slot)});
}

Primary& Server::primary_of(std::string_view key) const {
  if (slots_.empty()) return *primaries_.front();
  const auto behind = std::ranges::upper_bound(slots_, redis::key_slot(key), {}, &redis::SlotRange::first);
  return *primary_of_range_[static_cast<std::size_t>(behind - slots_.begin() - 1)];
}

std::string Server::key_at(const Primary& primary, std::string_view key) const {
  return redis::numbered_key(key, [&](std::string_view numbered) { return &primary_of(numbered) == &primary; });
}

Result<void> Server::check_slots() const {
  if (slots_.empty()) return {};
  const auto now = slots_of(options_);
  if (!now) return std::unexpected(now.error());
  if (*now == slots_) return {};
  return std::unexpected(slots_moved());
}

}  // namespace obol::ctl

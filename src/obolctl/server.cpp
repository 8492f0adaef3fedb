// Calls with the deadline of each, batches cut to a size that is good for both sides.
#include "obolctl/server.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "session_commands.hpp"

namespace obol::ctl {
namespace {

constexpr std::string_view any_key;  // One primary holds them all.
constexpr std::size_t most_commands_at_once = 1000;
constexpr std::size_t most_bytes_at_once = std::size_t{4} * 1024 * 1024;

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

Primary::Primary(const RedisStoreOptions& options) : client_(options, session_functions()) {}

Result<void> Primary::check() {
  auto connection = client_.source().dial(client_.new_deadline());
  if (!connection) return std::unexpected(std::move(connection.error()));
  return {};
}

Result<redis::Reply> Primary::call(const redis::Command& command) {
  return client_.call(any_key, command, client_.new_deadline());
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
    if (!replies) return replies;
    std::ranges::move(*replies, std::back_inserter(all));
    commands = commands.subspan(count);
  }
  return all;
}

std::string Primary::run_id() {
  const redis::Command command{"INFO", "server"};
  const auto inspection = inspect({&command, 1});
  if (!inspection || inspection->replies.front().is_error()) return {};
  constexpr std::string_view name = "\nrun_id:";
  const std::string_view info = inspection->replies.front().text;
  const auto line = info.find(name);
  if (line == std::string_view::npos) return {};
  const auto value = info.substr(line + name.size());
  return std::string(value.substr(0, value.find_first_of("\r\n")));
}

Result<Server> Server::connect(const RedisStoreOptions& options) {
  if (!options.connection.cluster.seeds.empty()) {
    return std::unexpected(Error{ErrorCode::invalid_argument,
                                 "obolctl does not know clusters yet; where it is enough to look at one primary, name "
                                 "that with redis://"});
  }
  Server server;
  server.primaries_.push_back(std::make_unique<Primary>(options));
  for (const auto& primary : server.primaries_) {
    if (auto checked = primary->check(); !checked) return std::unexpected(std::move(checked.error()));
  }
  return server;
}

}  // namespace obol::ctl

// Reads the reply of INFO replication.
#include "redis/protocol/replication_info.hpp"

#include <cstdint>
#include <optional>
#include <ranges>
#include <string>
#include <utility>

#include "base/decimal.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

/// The value behind `name=` in "ip=127.0.0.1,port=6380,state=online,offset=42,lag=1".
std::string_view value_in(std::string_view facts, std::string_view name) {
  for (const auto part : facts | std::views::split(',')) {
    const std::string_view fact(part.begin(), part.end());
    if (fact.starts_with(name) && fact.substr(name.size()).starts_with('=')) return fact.substr(name.size() + 1);
  }
  return {};
}

std::optional<ServerAddress> replica_in(std::string_view line, std::chrono::seconds max_lag) {
  const auto colon = line.find(':');
  if (!line.starts_with("slave") || colon == std::string_view::npos) return std::nullopt;
  if (!decimal<unsigned>(line.substr(5, colon - 5))) return std::nullopt;
  const auto facts = line.substr(colon + 1);
  const auto host = value_in(facts, "ip");
  const auto port = decimal<std::uint16_t>(value_in(facts, "port"));
  const auto lag = decimal<std::chrono::seconds::rep>(value_in(facts, "lag"));
  const bool is_near = lag && *lag >= 0 && *lag <= max_lag.count();
  if (value_in(facts, "state") != "online" || host.empty() || !port || *port == 0 || !is_near) return std::nullopt;
  return ServerAddress{.host = std::string(host), .port = *port};
}

}  // namespace

Command replicas_question() { return {"INFO", "replication"}; }

std::vector<ServerAddress> replicas_in(std::string_view info, std::chrono::seconds max_lag) {
  std::vector<ServerAddress> replicas;
  for (const auto part : info | std::views::split(std::string_view("\r\n"))) {
    if (auto replica = replica_in({part.begin(), part.end()}, max_lag)) replicas.push_back(std::move(*replica));
  }
  return replicas;
}

}}}  // namespace obol::v0::redis

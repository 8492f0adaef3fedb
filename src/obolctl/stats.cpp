// obolctl stats: how many sessions there are, of which types, under which keys; live ones only.
#include <fmt/format.h>

#include <map>
#include <unordered_set>

#include "obolctl/commands.hpp"
#include "obolctl/json.hpp"
#include "obolctl/progress.hpp"
#include "obolctl/scan.hpp"
#include "obolctl/stored_sessions.hpp"
#include "obolctl/text.hpp"
#include "sealing/sealing.hpp"

namespace obol::ctl {
namespace {

struct Tally {
  std::uint64_t sessions = 0;
  std::uint64_t bytes = 0;  ///< Of the sealed sessions.
};

/// Keys and users are counted by their hashes: a scan may show a key twice, and their texts would need memory.
class Statistics {
 public:
  explicit Statistics(bool with_memory) : with_memory_(with_memory) {}

  Result<void> visit(Primary& primary, std::span<const StoredKey> stored_keys);
  std::uint64_t sessions() const { return all_.sessions; }
  Json json() const;
  void print_text() const;

 private:
  void count(const StoredSession& session);
  Result<void> measure(Primary& primary, const StoredKey& stored_key);
  double bytes_in_memory() const {
    return sampled_ == 0 ? 0
                         : static_cast<double>(sampled_bytes_) / static_cast<double>(sampled_) *
                               static_cast<double>(keys_.size());
  }

  bool with_memory_;
  Tally all_;
  std::map<std::string, Tally> by_type_;
  std::map<std::pair<std::string, bool>, Tally> by_seal_;  ///< Key id, and whether it is encrypted.
  std::unordered_set<std::size_t> users_;
  std::unordered_set<std::size_t> keys_;
  std::uint64_t sampled_ = 0;
  std::uint64_t sampled_bytes_ = 0;
};

Result<void> Statistics::visit(Primary& primary, std::span<const StoredKey> stored_keys) {
  constexpr std::hash<std::string> hash;
  std::vector<StoredKey> unseen;
  for (const auto& stored_key : stored_keys) {
    if (keys_.insert(hash(stored_key.key)).second) unseen.push_back(stored_key);
  }
  const auto sessions = read_sessions(primary, unseen);
  if (!sessions) return std::unexpected(sessions.error());
  for (const auto& session : *sessions) count(session);
  if (!with_memory_ || unseen.empty()) return {};
  return measure(primary, unseen.front());
}

void Statistics::count(const StoredSession& session) {
  users_.insert(std::hash<std::string>{}(session.stored_key.user_id));
  const auto inscription = sealing::inscription(session.sealed);
  const auto seal = inscription ? std::pair(std::string(inscription->key_id), inscription->is_encrypted)
                                : std::pair(std::string(), false);
  for (auto* tally : {&all_, &by_type_[session.stored_key.type], &by_seal_[seal]}) {
    ++tally->sessions;
    tally->bytes += session.sealed.size();
  }
}

// One key of each page, with all its fields.
Result<void> Statistics::measure(Primary& primary, const StoredKey& stored_key) {
  const auto reply = primary.call({"MEMORY", "USAGE", stored_key.key, "SAMPLES", "0"});
  if (!reply) return std::unexpected(reply.error());
  if (reply->kind != redis::Reply::Kind::integer) return {};
  ++sampled_;
  sampled_bytes_ += static_cast<std::uint64_t>(reply->integer);
  return {};
}

Json Statistics::json() const {
  Json object{{"sessions", all_.sessions}, {"users", users_.size()}, {"stored_bytes", all_.bytes}};
  if (with_memory_) object["estimated_memory_bytes"] = static_cast<std::uint64_t>(bytes_in_memory());
  auto& types = object["by_type"] = Json::array();
  for (const auto& [type, tally] : by_type_) {
    types.push_back({{"type", type}, {"sessions", tally.sessions}, {"stored_bytes", tally.bytes}});
  }
  auto& seals = object["by_key"] = Json::array();
  for (const auto& [seal, tally] : by_seal_) {
    Json entry;
    add_bytes(entry, "key_id", seal.first);
    entry["encrypted"] = seal.second;
    entry["sessions"] = tally.sessions;
    seals.push_back(std::move(entry));
  }
  return object;
}

void Statistics::print_text() const {
  fmt::print("{}, {}, {}\n", counted(all_.sessions, "session"), counted(users_.size(), "user"), byte_count(all_.bytes));
  if (with_memory_) {
    fmt::print("about {} of the server's memory, by {}\n", byte_count(static_cast<std::uint64_t>(bytes_in_memory())),
               counted(sampled_, "sample"));
  }
  if (all_.sessions == 0) return;
  Table types({"TYPE", "SESSIONS", "BYTES"});
  for (const auto& [type, tally] : by_type_) {
    types.add({type, std::to_string(tally.sessions), byte_count(tally.bytes)});
  }
  Table seals({"KEY ID", "FORM", "SESSIONS"});
  for (const auto& [seal, tally] : by_seal_) {
    seals.add({seal.first.empty() ? "(malformed)" : escaped(seal.first), seal.second ? "encrypted" : "signed",
               std::to_string(tally.sessions)});
  }
  fmt::print("\n{}\n{}", types.text(), seals.text());
}

}  // namespace

Result<ExitCode> stats(const Context& context, const StatsArguments& arguments) {
  const auto options = read_options(context.common, context.environment);
  if (!options) return std::unexpected(options.error());
  const auto server = Server::connect(*options);
  if (!server) return std::unexpected(server.error());
  Statistics statistics(arguments.with_memory);
  {
    Progress progress("sessions");
    const auto scanned =
        for_each_stored_key(*server, options->key_prefix, stored_keys_pattern(options->key_prefix),
                            [&](Primary& primary, std::span<const StoredKey> stored_keys, double fraction) {
                              auto visited = statistics.visit(primary, stored_keys);
                              progress.show(fraction, statistics.sessions());
                              return visited;
                            });
    if (!scanned) return std::unexpected(scanned.error());
  }
  if (context.common.is_json) {
    print_json(statistics.json());
  } else {
    statistics.print_text();
  }
  return ExitCode::done;
}

}  // namespace obol::ctl

// Lists a store's commands, each in the form in which it is used.
#include "store/needed_capabilities.hpp"

#include "redis/protocol/server_time.hpp"
#include "store/session_commands.hpp"

namespace obol { inline namespace v0 {

using redis::Capability;
using redis::Command;
using Kind = redis::Reply::Kind;

namespace {

bool tells_time(const redis::Reply& reply) { return redis::server_time(reply).has_value(); }

}  // namespace

// HSETEX is given an expiry in the past: servers report the field as stored and delete it in the same step, and the
// HGET behind it shows that they have. What a server keeps in spite of that, the HDEL takes away.
std::vector<Capability> needed_capabilities(const RedisStoreOptions& options, std::string_view probe_key) {
  constexpr std::string_view field = "probe";
  std::vector<Capability> needed{
      {"HSETEX with FNX and PXAT", Command{"HSETEX", probe_key, "FNX", "PXAT", "1", "FIELDS", "1", field, ""},
       Kind::integer},
      {"HSETEX that expires (PXAT)", get_command(probe_key, field), Kind::nil},
      {"HPEXPIRETIME", Command{"HPEXPIRETIME", probe_key, "FIELDS", "1", field}, Kind::list},
      {"HGETALL", get_all_command(probe_key), Kind::map},
      {"HKEYS", Command{"HKEYS", probe_key}},
      {"HLEN", Command{"HLEN", probe_key}, Kind::integer},
      {"HDEL", delete_one_command(probe_key, field), Kind::integer},
      {"UNLINK", delete_all_command(probe_key), Kind::integer},
      {"TIME", Command{"TIME"}, Kind::list, tells_time},
  };
  if (options.policy.max_sessions > 0) {
    needed.push_back({"HSCAN with NOVALUES", Command{"HSCAN", probe_key, "0", "COUNT", "1", "NOVALUES"}, Kind::list});
  }
  if (options.policy.revocation_mark_lifetime.count() > 0) {
    needed.push_back({"GET", Command{"GET", probe_key}, Kind::nil});
  }
  if (options.delete_durability.replicas > 0) needed.push_back({"WAIT", Command{"WAIT", "0", "1"}, Kind::integer});
  if (options.replica_reads.enabled) needed.push_back({"INFO", Command{"INFO", "replication"}, Kind::text});
  return needed;
}

}}  // namespace obol::v0

// Reads INFO, TIME and the answers to harmless calls of everything the store needs.
#include "store/diagnosis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "base/decimal.hpp"
#include "redis/protocol/info.hpp"
#include "redis/protocol/reply_error.hpp"
#include "redis/protocol/server_time.hpp"
#include "store/session_commands.hpp"

namespace obol { inline namespace v0 {
namespace {

using redis::Command;
using redis::Reply;
using std::chrono::seconds;

/// The order of diagnosis_commands; probes follow.
enum Question : std::size_t { question_info, question_configuration, question_time, first_probe };

/// What each probe stands for.
constexpr std::array<std::string_view, 7> probed{"HGET",
                                                 "HGETALL",
                                                 "HSETEX",
                                                 "HDEL",
                                                 "UNLINK",
                                                 "FCALL of the update function",
                                                 "FCALL of the delete-others function"};

/// How a call of a function is named where functions are scripts.
constexpr std::string_view call_of_function = "FCALL";
constexpr std::string_view call_of_script = "EVALSHA";

using Version = std::array<int, 3>;

Version version_of(std::string_view text) {
  Version version{};
  for (auto& part : version) {
    const auto dot = text.find('.');
    part = decimal<int>(text.substr(0, dot)).value_or(0);
    text = dot == std::string_view::npos ? std::string_view{} : text.substr(dot + 1);
  }
  return version;
}

/// Releases with faults that touch Obol's commands or its users, up to the one that mends them.
struct KnownFault {
  std::string_view kind;
  Version first, mended;
  std::string_view fault;
};

constexpr std::array known_faults{
    KnownFault{"Redis", {8, 0, 0}, {8, 0, 6}, "crashes on malformed hash-field commands and flaws in Lua"},
    KnownFault{"Redis", {8, 2, 0}, {8, 2, 6}, "CVE-2026-23479, CVE-2026-25243, CVE-2026-23631"},
    KnownFault{"Redis", {8, 4, 0}, {8, 4, 3}, "CVE-2026-23479, CVE-2026-25243, CVE-2026-23631"},
    KnownFault{"Redis", {8, 6, 0}, {8, 6, 3}, "CVE-2026-23479, CVE-2026-25243, CVE-2026-23631"},
    KnownFault{"Valkey", {9, 0, 0}, {9, 0, 8}, "faults in hash-field expiry, and CVE-2026-56684, CVE-2026-130822"},
    KnownFault{"Valkey", {9, 1, 0}, {9, 1, 4}, "CVE-2026-130822, and below 9.1.2 an unauthenticated flaw in Lua"},
};

/// In the value of client-output-buffer-limit, "normal <hard> <soft> <seconds> replica …": true if either is set.
/// Source: https://redis.io/docs/latest/develop/reference/clients/#output-buffer-limits
bool bounds_normal_clients(std::string_view limits) {
  constexpr std::string_view unbounded = "normal 0 0 ";
  const auto normal = limits.find("normal ");
  return normal != std::string_view::npos && !limits.substr(normal).starts_with(unbounded);
}

/// A call refused so loads the functions and is repeated.
bool will_load_functions(const Reply& reply, FunctionLoading loading) {
  return reply.is_error() && redis::remedy_for(reply) == redis::Remedy::load_functions &&
         loading != FunctionLoading::require_loaded;
}

class Diagnosis {
 public:
  std::vector<Finding> findings;

  void add(Severity severity, std::string_view topic, std::string message) {
    findings.push_back({.severity = severity, .topic = topic, .message = std::move(message)});
  }

  void look_at_version(const redis::ServerVersion& server) {
    add(Severity::note, "server", server.name());
    if (!server.is_tested()) {
      add(Severity::warning, "untested_server",
          fmt::format(
              "Obol is not tested on a server that calls itself {}, only on {}; stores check at connect that it knows "
              "the commands that they need, so it may be used: see docs/servers.md, and test logout and expiry on it",
              server.name(), redis::tested_servers));
    }
    const auto version = version_of(server.version);
    for (const auto& known : known_faults) {
      if (server.kind != known.kind || version < known.first || version >= known.mended) continue;
      add(Severity::warning, "version",
          fmt::format("{} has {}; update to {}.{}.{} or newer", server.name(), known.fault, known.mended[0],
                      known.mended[1], known.mended[2]));
    }
  }

  void look_at_role(bool is_told) {
    if (is_told) return;
    add(Severity::warning, "role",
        "neither HELLO nor ROLE tells whether the server is a primary: if its address leads to a replica after a "
        "failover, ended sessions may be read for some time; allow +role, or make sure that the address is that of the "
        "primary");
  }

  void look_at_connection(bool is_exposed, const TlsOptions& tls) {
    if (is_exposed) {
      add(Severity::warning, "unencrypted_connection",
          "the connection leaves this machine unencrypted: anybody on the network path can read the password and "
          "change replies; set connection.tls");
    }
    if (tls.enabled && tls.insecure_skip_verification) {
      add(Severity::warning, "unverified_tls",
          "any certificate is accepted: anybody on the network path can read everything; set connection.tls.ca_file "
          "instead");
    }
  }

  void look_at_eviction(std::string_view info) {
    const auto policy = redis::info_field(info, "maxmemory_policy").value_or("noeviction");
    if (policy == "noeviction") return;
    add(Severity::warning, "eviction_policy",
        fmt::format("maxmemory-policy is {}: {}; set it to noeviction", policy,
                    policy.starts_with("allkeys") ? "when memory is full, users are logged out at random"
                                                  : "it never evicts sessions and may evict revocation marks"));
  }

  void look_at_persistence(std::string_view info, const Reply& configuration) {
    for (const auto* name : {"rdb_last_bgsave_status", "aof_last_bgrewrite_status", "aof_last_write_status"}) {
      if (redis::info_field(info, name).value_or("ok") == "ok") continue;
      add(Severity::warning, "persistence", fmt::format("{} is not ok: check the server's disk and log", name));
    }
    if (redis::info_field(info, "aof_enabled") != "0") return;
    const Reply* schedule = configuration.find("save");
    if (schedule == nullptr) {
      add(Severity::note, "persistence",
          "there is no append-only file, and snapshots cannot be checked (no +config|get)");
    } else if (schedule->text.empty()) {
      add(Severity::warning, "persistence",
          "nothing is saved: a restart of the server logs everybody out; set appendonly yes");
    } else {
      add(Severity::note, "persistence",
          "only snapshots are saved: a crash brings back sessions that were logged out since the last one; set "
          "appendonly yes");
    }
  }

  // The server keeps what it has to tell a client until the client reads it.
  void look_at_output_buffers(const Reply& configuration) {
    const Reply* limits = configuration.find("client-output-buffer-limit");
    const Reply* all_clients = configuration.find("maxmemory-clients");
    if (limits == nullptr) {
      add(Severity::note, "output_buffers",
          "the limit on output buffers of a near cache that does not read cannot be checked (no +config|get)");
    } else if (!bounds_normal_clients(limits->text) && (all_clients == nullptr || all_clients->text == "0")) {
      add(Severity::warning, "output_buffers",
          "the server buffers invalidations without a limit for a near cache that does not read: one process that is "
          "stopped fills its memory; set client-output-buffer-limit to \"normal 256mb 64mb 60\", or maxmemory-clients");
    }
  }

  void look_at_replication(std::string_view info, std::size_t wanted) {
    const auto replicas = decimal<std::size_t>(redis::info_field(info, "connected_slaves").value_or("0")).value_or(0);
    if (replicas < wanted) {
      add(Severity::warning, "replication",
          fmt::format(
              "{} replicas are connected and delete_durability asks for {}: every delete waits until its timeout",
              replicas, wanted));
    } else if (replicas == 0) {
      add(Severity::note, "replication", "no replica is connected: if this server is lost, so are all sessions");
    } else if (!redis::info_field(info, "min_slaves_good_slaves")) {
      add(Severity::note, "replication",
          "min-replicas-to-write is 0: a primary cut off from its replicas goes on accepting writes that a failover "
          "loses");
    }
  }

  void look_at_clock(const Reply& time, std::chrono::system_clock::time_point now) {
    const auto theirs = redis::server_time(time);
    if (!theirs) {
      add(Severity::problem, "permission",
          "TIME fails, which is needed to tell whether a session that expires soon was stored: allow +time");
      return;
    }
    constexpr seconds tolerated{2};
    const auto ahead = std::chrono::floor<seconds>(*theirs) - std::chrono::floor<seconds>(now);
    if (ahead <= tolerated && ahead >= -tolerated) return;
    add(Severity::warning, "clock",
        fmt::format("the server's clock is {} s {} ours: sessions end that much too {}; synchronise both",
                    std::abs(ahead.count()), ahead.count() > 0 ? "ahead of" : "behind",
                    ahead.count() > 0 ? "early" : "late"));
  }

  void look_at_functions(std::span<const Reply> probes, redis::FunctionForm functions, FunctionLoading loading) {
    if (std::ranges::any_of(probes, [&](const Reply& probe) { return will_load_functions(probe, loading); })) {
      add(Severity::warning, "functions",
          "Obol's function library is not loaded: a store with FunctionLoading::load_at_connect loads it when it "
          "connects or next needs it, if its user may (+function|load); with require_loaded stores cannot connect, so "
          "load it for them (obolctl functions load)");
    }
    if (functions == redis::FunctionForm::library || loading == FunctionLoading::scripts) return;
    add(Severity::note, "functions",
        "the server knows no functions, so Obol runs their code as scripts; set FunctionLoading::scripts");
  }

  void look_at_probes(std::span<const Reply> replies, redis::FunctionForm functions, FunctionLoading loading) {
    for (std::size_t i = 0; i < replies.size(); ++i) {
      // A script that is not loaded is loaded by the call that needs it.
      if (!replies[i].is_error() || redis::remedy_for(replies[i]) == redis::Remedy::load_scripts) continue;
      if (will_load_functions(replies[i], loading)) continue;
      std::string probe(probed[i]);
      if (functions != redis::FunctionForm::library && probe.starts_with(call_of_function)) {
        probe.replace(0, call_of_function.size(), call_of_script);
      }
      const auto error = redis::error_of(replies[i], std::string_view(probe).substr(0, probe.find(' ')));
      const auto topic = error.code == ErrorCode::permission      ? "permission"
                         : error.code == ErrorCode::out_of_memory ? "memory"
                                                                  : "server";
      add(Severity::problem, topic, fmt::format("{} fails: {}", probe, error.message));
    }
  }
};

}  // namespace

std::vector<Command> diagnosis_commands(std::string_view probe_key) {
  return {{"INFO", "memory", "persistence", "replication", "clients"},
          {"CONFIG", "GET", "save", "client-output-buffer-limit", "maxmemory-clients"},
          {"TIME"},
          get_command(probe_key, "probe"),
          get_all_command(probe_key),
          {"HSETEX", probe_key, "FXX", "PX", "1", "FIELDS", "1", "probe", ""},
          delete_one_command(probe_key, "probe"),
          delete_all_command(probe_key),
          probe_command(probe_key),
          delete_others_command(probe_key, "probe")};
}

std::vector<Finding> diagnose(const redis::Inspection& inspection, const RedisStoreOptions& options,
                              std::chrono::system_clock::time_point now) {
  const auto& replies = inspection.replies;
  Diagnosis diagnosis;
  if (inspection.error) {
    diagnosis.add(Severity::problem, "server", inspection.error->message);
    return std::move(diagnosis.findings);
  }
  diagnosis.look_at_version(inspection.server);
  diagnosis.look_at_role(inspection.is_role_told);
  diagnosis.look_at_connection(inspection.is_exposed, options.connection.tls);
  const auto& configuration = replies[question_configuration];
  // Another process's near cache counts as well.
  const auto trackers = redis::info_field(replies[question_info].text, "tracking_clients").value_or("0");
  if (options.near_cache.enabled || trackers != "0") diagnosis.look_at_output_buffers(configuration);
  if (const auto& info = replies[question_info]; info.is_error()) {
    diagnosis.add(
        Severity::note, "settings",
        "eviction, persistence and replication cannot be checked (no +info); run diagnose once as a user that has it");
  } else {
    diagnosis.look_at_eviction(info.text);
    diagnosis.look_at_persistence(info.text, configuration);
    diagnosis.look_at_replication(info.text, options.delete_durability.replicas);
  }
  diagnosis.look_at_clock(replies[question_time], now);
  const auto probes = std::span(replies).subspan(first_probe);
  diagnosis.look_at_functions(probes, inspection.functions, options.functions);
  diagnosis.look_at_probes(probes, inspection.functions, options.functions);
  return std::move(diagnosis.findings);
}

}}  // namespace obol::v0

// The least rights that Obol needs, by role. The one place where they stand: docs/operations.md is tested against it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace obol::ctl {

enum class Role {
  web,       ///< Servers that keep sessions.
  deploy,    ///< Loads the functions of a release.
  operation  ///< Runs obolctl.
};
/// The ACL user's name: "web", "deploy" or "operator".
std::string_view name_of(Role role);

/// What the hosts' options add to the web role.
struct AclOptions {
  std::string prefix = "obol_";
  std::uint32_t database = 0;
  bool has_max_sessions = false;
  bool has_revocation_marks = false;
  bool has_durability = false;
  bool has_near_cache = false;
  bool has_session_watch = false;
  bool has_replica_reads = false;
  bool has_cluster = false;
  bool has_diagnosis = false;
  bool loads_functions = false;  ///< FunctionLoading::load_at_connect.
  bool uses_scripts = false;     ///< FunctionLoading::scripts; changes the operator's role, too.
};

/// Those that hosts with these options have: scripts need no deploy role, since every host loads them.
std::vector<Role> roles_for(const AclOptions& options);

/// The rules of a role, each once, without user name and password.
std::vector<std::string> acl_rules(Role role, const AclOptions& options);

/// The command that makes the user, to be given to redis-cli with a password in place of PASSWORD.
std::string acl_command(Role role, const AclOptions& options);

}  // namespace obol::ctl

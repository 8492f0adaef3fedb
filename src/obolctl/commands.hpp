// The commands of obolctl: what each is told, and the function that does it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "obolctl/acl_rules.hpp"
#include "obolctl/exit_code.hpp"
#include "obolctl/settings.hpp"

namespace obol::ctl {

/// What every command has beside its own arguments.
struct Context {
  CommonArguments common;
  Environment environment;
};

Result<ExitCode> diagnose(const Context& context);

struct ListArguments {
  std::string user_id;
  std::vector<std::string> types;  ///< Empty: all types.
};
Result<ExitCode> list(const Context& context, const ListArguments& arguments);

struct ShowArguments {
  SessionKey key;
  bool with_payload = false;
};
Result<ExitCode> show(const Context& context, const ShowArguments& arguments);

/// How a delete is to be done.
struct RevokeOptions {
  std::uint32_t replicas = 0;               ///< To wait for.
  std::uint32_t mark_lifetime_seconds = 0;  ///< For revoke-all: of the revocation mark; 0: none.
};
Result<ExitCode> revoke(const Context& context, const SessionKey& key, const RevokeOptions& revoke);

struct RevokeAllArguments {
  std::string user_id;
  std::vector<std::string> types;  ///< Empty: all types.
  RevokeOptions options;
  bool is_confirmed = false;
};
Result<ExitCode> revoke_all(const Context& context, const RevokeAllArguments& arguments);

struct StatsArguments {
  bool with_memory = false;
};
Result<ExitCode> stats(const Context& context, const StatsArguments& arguments);

Result<ExitCode> load_functions(const Context& context);
Result<ExitCode> list_functions(const Context& context);

struct PruneArguments {
  bool is_dry_run = false;
  bool is_confirmed = false;
};
Result<ExitCode> prune_functions(const Context& context, const PruneArguments& arguments);

Result<ExitCode> acl(const Context& context, AclOptions options);

Result<ExitCode> export_sessions(const Context& context, const std::string& path);

struct ImportArguments {
  std::string path;
  bool overwrites = false;
};
Result<ExitCode> import_sessions(const Context& context, const ImportArguments& arguments);

struct RekeyArguments {
  bool encrypts = false;
};
Result<ExitCode> rekey(const Context& context, const RekeyArguments& arguments);

}  // namespace obol::ctl

// The options of each command. Only this file knows CLI11.
#include "obolctl/command_line.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <iostream>

#include "obol/version.hpp"
#include "obolctl/commands.hpp"
#include "obolctl/text.hpp"

namespace obol::ctl {
namespace {

constexpr const char* overview =
    "Manages Obol's login sessions in Redis or Valkey.\n"
    "Passwords and keys come from files or the environment: OBOL_REDIS_URI or OBOL_REDIS_PASSWORD, "
    "OBOL_SENTINEL_PASSWORD, OBOL_SECRET, OBOL_OLD_SECRETS.";

/// Everything the command line can set, and the command that was named.
class CommandLine {
 public:
  explicit CommandLine(const Environment& environment);
  ExitCode run(int count, const char* const* words);

 private:
  using Command = std::function<Result<ExitCode>()>;

  CLI::App* add(CLI::App& parent, const char* name, const char* description, Command command);
  void add_common_options();
  void add_session_commands();
  void add_revoke_commands();
  void add_function_commands();
  void add_acl();
  void add_moving_commands();
  void add_user(CLI::App* command);
  void add_session_key(CLI::App* command);
  void add_types(CLI::App& command, const char* description);
  void add_revoke_options(CLI::App* command);
  Result<void> read_names();
  std::string explain(const CLI::ParseError& error) const;
  ExitCode execute();

  CLI::App app_{overview, "obolctl"};
  Context context_;
  Command command_;
  bool is_escaped_ = false;
  SessionKey key_;
  std::vector<std::string> types_;
  bool all_types_ = false;  ///< Then no type is named.
  bool is_confirmed_ = false;
  bool is_dry_run_ = false;
  std::string path_;
  ShowArguments show_;
  RevokeOptions revoke_;
  StatsArguments stats_;
  ImportArguments import_;
  RekeyArguments rekey_;
  AclOptions acl_;
};

CommandLine::CommandLine(const Environment& environment) : context_{.common = {}, .environment = environment} {
  app_.require_subcommand(1);
  app_.fallthrough();
  app_.set_version_flag("--version", std::string("obolctl ") + OBOL_VERSION_STRING);
  app_.failure_message(CLI::FailureMessage::simple);
  add_common_options();
  add(app_, "diagnose", "Check the server and report what endangers sessions", [this] { return diagnose(context_); });
  add_session_commands();
  add_revoke_commands();
  auto* stats_command =
      add(app_, "stats", "Count sessions and users, by type and by key", [this] { return stats(context_, stats_); });
  stats_command->add_flag("--memory", stats_.with_memory, "Estimate the server's memory from samples");
  add_function_commands();
  add_acl();
  add_moving_commands();
  auto* rekey_command = add(app_, "rekey", "Re-seal sessions of older keys with the current key",
                            [this] { return rekey(context_, rekey_); });
  rekey_command->add_flag("--encrypt", rekey_.encrypts, "Also encrypt sessions that are only signed");
}

CLI::App* CommandLine::add(CLI::App& parent, const char* name, const char* description, Command command) {
  auto* added = parent.add_subcommand(name, description);
  if (command) added->callback([this, command = std::move(command)] { command_ = command; });
  return added;
}

void CommandLine::add_common_options() {
  auto& common = context_.common;
  app_.add_option("--uri", common.uri,
                  "Server, without a password: redis://, rediss://, redis+sentinel://, redis+cluster:// or unix:// "
                  "(OBOL_REDIS_URI)");
  app_.add_option("--password-file", common.password_file, "File with the server's password (OBOL_REDIS_PASSWORD)");
  app_.add_option("--sentinel-password-file", common.sentinel_password_file,
                  "File with the sentinels' password (OBOL_SENTINEL_PASSWORD)");
  app_.add_option("--map-address", common.address_map,
                  "ANNOUNCED=REACHABLE, each HOST[:PORT]: where an announced address can be reached; repeatable")
      ->allow_extra_args(false);
  app_.add_flag("--scripts", common.uses_scripts,
                "Call functions as scripts, like hosts with FunctionLoading::scripts");
  app_.add_option("--prefix", common.prefix, "Key prefix of the hosts")->capture_default_str();
  app_.add_option("--secret-file", common.secret_file, "File with secrets, one per line, the current one first");
  app_.add_option("--timeout", common.timeout_seconds, "Time limit of a call in seconds")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  app_.add_flag("--json", common.is_json, "Print JSON, one object per line");
  app_.add_flag("--escaped", is_escaped_, R"(USER and ID are written as they are printed, with \\ and \xHH)");
}

void CommandLine::add_user(CLI::App* command) { command->add_option("USER", key_.user_id, "User id")->required(); }

void CommandLine::add_session_key(CLI::App* command) {
  add_user(command);
  command->add_option("TYPE", key_.type, "Session type, such as full")->required();
  command->add_option("ID", key_.id, "Session id, as list prints it; - reads it from standard input")->required();
}

void CommandLine::add_types(CLI::App& command, const char* description) {
  command.add_option("--type", types_, description)->allow_extra_args(false);
}

void CommandLine::add_session_commands() {
  auto* list_command = add(app_, "list", "List the sessions of a user",
                           [this] { return list(context_, {.user_id = key_.user_id, .types = types_}); });
  add_user(list_command);
  add_types(*list_command, "Only sessions of this type, repeatable; without it all keys are scanned");
  auto* show_command = add(app_, "show", "Show one session", [this] {
    show_.key = key_;
    return show(context_, show_);
  });
  add_session_key(show_command);
  show_command->add_flag("--payload", show_.with_payload, "Include its payload and refresh token id");
}

void CommandLine::add_revoke_options(CLI::App* command) {
  command->add_option("--replicas", revoke_.replicas, "Wait until this many replicas have it")
      ->check(CLI::Range(0, 100));
}

void CommandLine::add_revoke_commands() {
  auto* one = add(app_, "revoke", "Log out one session", [this] { return revoke(context_, key_, revoke_); });
  add_session_key(one);
  add_revoke_options(one);
  auto* all = add(app_, "revoke-all", "Log out a user everywhere", [this] {
    return revoke_all(context_,
                      {.user_id = key_.user_id, .types = types_, .options = revoke_, .is_confirmed = is_confirmed_});
  });
  add_user(all);
  auto* which = all->add_option_group("which");
  add_types(*which, "Sessions of this type; repeatable");
  which->add_flag("--all-types", all_types_, "Sessions of every type; all keys are scanned");
  which->require_option(1);
  add_revoke_options(all);
  all->add_option("--mark-lifetime", revoke_.mark_lifetime_seconds,
                  "Leave a revocation mark for this many seconds, like the hosts' SessionPolicy")
      ->check(CLI::Range(0, 30 * 24 * 3600));
  all->add_flag("--yes", is_confirmed_, "Do not ask");
}

void CommandLine::add_function_commands() {
  auto* functions = add(app_, "functions", "Manage the function libraries", nullptr);
  functions->require_subcommand(1);
  add(*functions, "load", "Load the library of this release", [this] { return load_functions(context_); });
  add(*functions, "list", "List the libraries of all releases", [this] { return list_functions(context_); });
  auto* prune = add(*functions, "prune", "Remove the libraries of other releases", [this] {
    return prune_functions(context_, {.is_dry_run = is_dry_run_, .is_confirmed = is_confirmed_});
  });
  prune->add_flag("--dry-run", is_dry_run_, "Only print what would be removed");
  prune->add_flag("--yes", is_confirmed_, "Do not ask");
}

void CommandLine::add_acl() {
  auto* command = add(app_, "acl", "Print the minimum rights of each role, for the hosts' options",
                      [this] { return acl(context_, acl_); });
  command->add_option("--database", acl_.database, "Database of the hosts");
  command->add_flag("--max-sessions", acl_.has_max_sessions, "policy.max_sessions is set");
  command->add_flag("--revocation-marks", acl_.has_revocation_marks, "policy.revocation_mark_lifetime is set");
  command->add_flag("--durability", acl_.has_durability, "delete_durability is set");
  command->add_flag("--near-cache", acl_.has_near_cache, "near_cache is enabled");
  command->add_flag("--session-watch", acl_.has_session_watch, "Hosts use SessionWatch");
  command->add_flag("--replica-reads", acl_.has_replica_reads, "replica_reads is enabled");
  command->add_flag("--cluster", acl_.has_cluster, "connection.cluster is set");
  command->add_flag("--diagnose", acl_.has_diagnosis, "Hosts call diagnose()");
  command->add_flag("--load-functions", acl_.loads_functions, "Hosts load the functions themselves (the default)");
}

void CommandLine::add_moving_commands() {
  auto* export_command =
      add(app_, "export", "Write all sessions to a file", [this] { return export_sessions(context_, path_); });
  export_command->add_option("FILE", path_, "A new file; an interrupted export is continued")->required();
  auto* import_command = add(app_, "import", "Import the sessions of a file into a server", [this] {
    import_.path = path_;
    return import_sessions(context_, import_);
  });
  import_command->add_option("FILE", path_, "An export")->required();
  import_command->add_flag("--overwrite", import_.overwrites, "Also replace sessions that are newer on the server");
}

/// Turns names into bytes; reads an id from standard input where that is asked for.
Result<void> CommandLine::read_names() {
  if (key_.id == "-") std::getline(std::cin, key_.id);
  if (!is_escaped_) return {};
  for (auto* name : {&key_.user_id, &key_.id}) {
    auto bytes = unescaped(*name);
    if (!bytes) return std::unexpected(std::move(bytes.error()));
    *name = std::move(*bytes);
  }
  return {};
}

ExitCode CommandLine::execute() {
  auto result = Result<ExitCode>(ExitCode::done);
  if (auto read = read_names(); !read) {
    result = std::unexpected(std::move(read.error()));
  } else {
    result = command_();
  }
  if (result) return *result;
  // Some words of it may be a server's, or of a command line that was pasted.
  fmt::print(stderr, "obolctl: error: {}\n", printable(result.error().message));
  return exit_code_of(result.error());
}

/// CLI11 does not name a word that is no command. An option that is unknown may hold a secret and is not repeated.
std::string CommandLine::explain(const CLI::ParseError& error) const {
  const auto others = app_.remaining();
  if (!app_.get_subcommands().empty() || others.empty() || others.front().starts_with('-')) return error.what();
  return fmt::format("{} is not a command", others.front());
}

ExitCode CommandLine::run(int count, const char* const* words) {
  try {
    app_.parse(count, words);
  } catch (const CLI::Success& success) {
    app_.exit(success);
    return ExitCode::done;
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "obolctl: error: {}\n", printable(explain(error)));
    fmt::print(stderr, "Run obolctl --help, or obolctl COMMAND --help. Write an id that begins with - after --.\n");
    return ExitCode::usage;
  }
  return execute();
}

}  // namespace

ExitCode run(int count, const char* const* words, const Environment& environment) {
  return CommandLine(environment).run(count, words);
}

}  // namespace obol::ctl

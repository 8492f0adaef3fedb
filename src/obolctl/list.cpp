// obolctl list: the sessions of a user, with their ids, so that they can be named to `revoke`.
#include <fmt/format.h>

#include <algorithm>

#include "obol/session_id.hpp"
#include "obol/session_limits.hpp"
#include "obolctl/commands.hpp"
#include "obolctl/json.hpp"
#include "obolctl/session_facts.hpp"
#include "obolctl/stored_sessions.hpp"
#include "obolctl/text.hpp"

namespace obol::ctl {
namespace {

Result<std::vector<StoredSession>> read_all(const Server& server, std::span<const StoredKey> stored_keys) {
  std::vector<StoredSession> all;
  for (const auto& stored_key : stored_keys) {
    auto sessions = read_sessions_with_expiry(server.primary_of(stored_key.key), {&stored_key, 1});
    if (!sessions) return sessions;
    std::ranges::move(*sessions, std::back_inserter(all));
  }
  std::ranges::sort(all, {}, [](const auto& session) { return std::tie(session.stored_key.type, session.id); });
  return all;
}

std::vector<std::string> row_of(const SessionFacts& facts) {
  return {facts.stored.stored_key.type, escaped(facts.stored.id), session_id_hash(facts.stored.id),
          facts.created_text(),         facts.refreshed_text(),   facts.expires_text(),
          facts.judgement.word()};
}

}  // namespace

Result<ExitCode> list(const Context& context, const ListArguments& arguments) {
  if (auto valid = validate_user(arguments.user_id, arguments.types); !valid) return std::unexpected(valid.error());
  const auto options = read_options(context.common, context.environment);
  if (!options) return std::unexpected(options.error());
  const auto keyring = read_keyring(context.common.secret_file, context.environment);
  if (!keyring) return std::unexpected(keyring.error());
  const auto server = Server::connect(*options);
  if (!server) return std::unexpected(server.error());
  const auto stored_keys = stored_keys_of_user(*server, options->key_prefix, arguments.user_id, arguments.types);
  if (!stored_keys) return std::unexpected(stored_keys.error());
  const auto sessions = read_all(*server, *stored_keys);
  if (!sessions) return std::unexpected(sessions.error());

  bool all_verified = true;
  Table table({"TYPE", "ID", "HASH", "CREATED", "REFRESHED", "EXPIRES", "STATUS"});
  for (const auto& stored : *sessions) {
    const SessionFacts facts{.stored = stored, .judgement = judge(stored, *keyring)};
    all_verified &= !facts.judgement.failure;
    if (context.common.is_json) {
      print_json(facts.json());
    } else {
      table.add(row_of(facts));
    }
  }
  if (sessions->empty()) {
    fmt::print(stderr, "obolctl: the user has no such session\n");
    return ExitCode::negative;
  }
  if (!context.common.is_json) fmt::print("{}", table.text());
  return all_verified ? ExitCode::done : ExitCode::not_verified;
}

}  // namespace obol::ctl

// obolctl show: one session, its payload only on request.
#include <fmt/format.h>

#include <algorithm>

#include "obol/session_limits.hpp"
#include "obolctl/commands.hpp"
#include "obolctl/session_facts.hpp"
#include "obolctl/stored_sessions.hpp"
#include "obolctl/text.hpp"

namespace obol::ctl {
namespace {

Result<std::optional<StoredSession>> read_one(const Server& server, const StoredKey& stored_key,
                                              const std::string& id) {
  auto sessions = read_sessions_with_expiry(server.primary_of(stored_key.key), {&stored_key, 1});
  if (!sessions) return std::unexpected(std::move(sessions.error()));
  const auto found = std::ranges::find(*sessions, id, &StoredSession::id);
  if (found == sessions->end()) return std::nullopt;
  return std::move(*found);
}

std::string text_of(const Json& value) { return value.is_string() ? escaped(value.get<std::string>()) : value.dump(); }

void print_lines(const Json& object) {
  constexpr std::string_view suffix = "_escaped";
  for (const auto& [name, value] : object.items()) {
    if (name.ends_with(suffix)) {
      fmt::print("{:<24}{}\n", name.substr(0, name.size() - suffix.size()), value.get<std::string>());
    } else {
      fmt::print("{:<24}{}\n", name, value.is_null() ? "-" : text_of(value));
    }
  }
}

}  // namespace

Result<ExitCode> show(const Context& context, const ShowArguments& arguments) {
  if (auto valid = validate(arguments.key); !valid) return std::unexpected(valid.error());
  const auto options = read_options(context.common, context.environment);
  if (!options) return std::unexpected(options.error());
  const auto keyring = read_keyring(context.common.secret_file, context.environment);
  if (!keyring) return std::unexpected(keyring.error());
  if (arguments.with_payload && keyring->empty()) {
    return std::unexpected(Error{ErrorCode::invalid_argument,
                                 "--payload needs the key that verifies it: set OBOL_SECRET or give --secret-file"});
  }
  const auto server = Server::connect(*options);
  if (!server) return std::unexpected(server.error());
  const auto stored_key = make_stored_key(options->key_prefix, arguments.key.user_id, arguments.key.type);
  auto stored = read_one(*server, stored_key, arguments.key.id);
  if (!stored) return std::unexpected(std::move(stored.error()));
  if (!*stored) {
    fmt::print(stderr, "obolctl: no such session\n");
    return ExitCode::negative;
  }

  auto judgement = judge(**stored, *keyring);
  const SessionFacts facts{.stored = std::move(**stored), .judgement = std::move(judgement)};
  auto object = facts.json();
  if (const auto& session = facts.judgement.session; session && arguments.with_payload) {
    add_bytes(object, "refresh_token_id", session->refresh_token_id);
    add_bytes(object, "payload", session->extra_payload);
  }
  if (context.common.is_json) {
    print_json(object);
  } else {
    print_lines(object);
  }
  return facts.judgement.failure ? ExitCode::not_verified : ExitCode::done;
}

}  // namespace obol::ctl

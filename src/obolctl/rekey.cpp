// obolctl rekey: seals anew, under the current key, what older keys have sealed. A session keeps its lock version, so a
// host that refreshes it meanwhile notices nothing; and only exactly the bytes that were read are replaced, so that no
// refresh is lost and nobody who was logged out comes back.
#include <fmt/format.h>

#include <map>

#include "obol/session_limits.hpp"
#include "obolctl/commands.hpp"
#include "obolctl/json.hpp"
#include "obolctl/progress.hpp"
#include "obolctl/scan.hpp"
#include "obolctl/stored_sessions.hpp"
#include "obolctl/text.hpp"
#include "sealing/sealing.hpp"

namespace obol::ctl {
namespace {

class Rekeying {
 public:
  Rekeying(const Keyring& keyring, bool encrypts) : keyring_(keyring), encrypts_(encrypts) {}

  Result<void> visit(Primary& primary, std::span<const StoredKey> stored_keys);
  void report(bool is_json) const;
  std::uint64_t looked_at() const { return looked_at_; }
  bool all_verified() const { return failures_.empty(); }
  std::uint64_t unsettled() const { return unsettled_; }

 private:
  struct Exchanged {
    Primary& primary;
    std::vector<StoredSession> sessions;
    std::vector<redis::Command> commands;
  };
  bool is_due(const StoredSession& stored) const;
  Result<void> prepare(StoredSession stored, Exchanged& exchange);
  Result<std::vector<StoredSession>> send(Exchanged& exchange);
  Result<std::vector<StoredSession>> read_again(Primary& primary, std::vector<StoredSession> changed);

  const Keyring& keyring_;
  bool encrypts_;
  std::uint64_t looked_at_ = 0;
  std::uint64_t rekeyed_ = 0;
  std::uint64_t changed_ = 0;    ///< By others in between: refreshed, or gone.
  std::uint64_t unsettled_ = 0;  ///< Refreshed with an old key again and again.
  std::map<VerificationFailure, std::uint64_t> failures_;
};

bool Rekeying::is_due(const StoredSession& stored) const {
  const auto inscription = sealing::inscription(stored.sealed);
  return !inscription || inscription->key_id != keyring_.current_key_id() || (encrypts_ && !inscription->is_encrypted);
}

Result<void> Rekeying::prepare(StoredSession stored, Exchanged& exchange) {
  const auto judgement = judge(stored, keyring_);
  if (judgement.failure) {
    ++failures_[*judgement.failure];
    return {};
  }
  // Written with a time that has passed it would be deleted: which its server does by itself.
  if (!is_live(*judgement.session, std::chrono::system_clock::now())) return {};
  auto sealed = sealing::reseal(stored.sealed, stored.stored_key.key, stored.key(), keyring_,
                                encrypts_ ? Encryption::encrypt : Encryption::off);
  if (!sealed) return std::unexpected(std::move(sealed.error()));
  exchange.commands.push_back(
      exchange_command(stored.stored_key.key, stored.id, stored.sealed, *sealed, field_expiry(*judgement.session)));
  exchange.sessions.push_back(std::move(stored));
  return {};
}

/// Those that were changed in between.
Result<std::vector<StoredSession>> Rekeying::send(Exchanged& exchange) {
  const auto replies = exchange.primary.call_all(exchange.commands);
  if (!replies) return std::unexpected(replies.error());
  std::vector<StoredSession> changed;
  for (std::size_t i = 0; i < replies->size(); ++i) {
    const auto result = exchange_result((*replies)[i]);
    if (!result) return std::unexpected(result.error());
    if (*result == Exchange::replaced) ++rekeyed_;
    if (*result == Exchange::gone || *result == Exchange::expired) ++changed_;
    if (*result == Exchange::changed) changed.push_back(std::move(exchange.sessions[i]));
  }
  return changed;
}

Result<std::vector<StoredSession>> Rekeying::read_again(Primary& primary, std::vector<StoredSession> changed) {
  std::vector<StoredSession> standing;
  for (auto& session : changed) {
    auto reply = primary.call(get_command(session.stored_key.key, session.id));
    if (!reply) return std::unexpected(std::move(reply.error()));
    auto sealed = get_result(*reply);
    if (!sealed) return std::unexpected(std::move(sealed.error()));
    if (*sealed) session.sealed = **sealed;
    if (*sealed && is_due(session)) {
      standing.push_back(std::move(session));
    } else {
      ++changed_;
    }
  }
  return standing;
}

Result<void> Rekeying::visit(Primary& primary, std::span<const StoredKey> stored_keys) {
  auto due = read_sessions(primary, stored_keys);
  if (!due) return std::unexpected(std::move(due.error()));
  looked_at_ += due->size();
  std::erase_if(*due, [&](const auto& stored) { return !is_due(stored); });
  for (int attempt = 0; attempt < 10 && !due->empty(); ++attempt) {
    Exchanged exchange{.primary = primary, .sessions = {}, .commands = {}};
    for (auto& stored : *due) {
      if (auto prepared = prepare(std::move(stored), exchange); !prepared) return prepared;
    }
    auto changed = send(exchange);
    if (!changed) return std::unexpected(std::move(changed.error()));
    due = read_again(primary, std::move(*changed));
    if (!due) return std::unexpected(std::move(due.error()));
  }
  unsettled_ += due->size();
  return {};
}

void Rekeying::report(bool is_json) const {
  if (is_json) {
    Json failures = Json::object();
    for (const auto& [failure, count] : failures_) failures[std::string(to_string(failure))] = count;
    print_json(Json{{"looked_at", looked_at_},
                    {"rekeyed", rekeyed_},
                    {"changed_meanwhile", changed_},
                    {"unsettled", unsettled_},
                    {"not_verified", std::move(failures)}});
    return;
  }
  fmt::print("rekeyed {} of {}\n", counted(rekeyed_, "session"), looked_at_);
  if (changed_ > 0) fmt::print("{} refreshed or logged out meanwhile\n", changed_);
  if (unsettled_ > 0) fmt::print("{} still under an old key: hosts still write with it\n", unsettled_);
  for (const auto& [failure, count] : failures_) fmt::print("{} not verified: {}\n", count, to_string(failure));
}

}  // namespace

Result<ExitCode> rekey(const Context& context, const RekeyArguments& arguments) {
  const auto options = read_options(context.common, context.environment);
  if (!options) return std::unexpected(options.error());
  const auto keyring = read_keyring(context.common.secret_file, context.environment);
  if (!keyring) return std::unexpected(keyring.error());
  if (keyring->empty()) {
    return std::unexpected(
        Error{ErrorCode::invalid_argument,
              "rekey needs the keys: set OBOL_SECRET to the current secret and OBOL_OLD_SECRETS to the older ones, or "
              "give --secret-file"});
  }
  const auto server = Server::connect(*options);
  if (!server) return std::unexpected(server.error());
  Rekeying rekeying(*keyring, arguments.encrypts);
  Result<void> scanned;
  {
    Progress progress("sessions");
    scanned = for_each_stored_key(*server, options->key_prefix, stored_keys_pattern(options->key_prefix),
                                  [&](Primary& primary, std::span<const StoredKey> stored_keys, double fraction) {
                                    auto visited = rekeying.visit(primary, stored_keys);
                                    progress.show(fraction, rekeying.looked_at());
                                    return visited;
                                  });
  }
  rekeying.report(context.common.is_json);
  if (!scanned) return std::unexpected(std::move(scanned.error()));
  if (!rekeying.all_verified()) return ExitCode::not_verified;
  return rekeying.unsettled() > 0 ? ExitCode::negative : ExitCode::done;
}

}  // namespace obol::ctl

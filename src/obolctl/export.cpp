// obolctl export: every session and revocation mark of a prefix, as they stand, into a file.
#include <fmt/format.h>

#include "obolctl/commands.hpp"
#include "obolctl/export_file.hpp"
#include "obolctl/interruption.hpp"
#include "obolctl/json.hpp"
#include "obolctl/progress.hpp"
#include "obolctl/scan.hpp"
#include "obolctl/stored_sessions.hpp"
#include "obolctl/text.hpp"
#include "redis/protocol/server_version.hpp"

namespace obol::ctl {
namespace {

using redis::Command;
using redis::Reply;

/// First the sessions of each primary, then its marks. So a mark that is set meanwhile is carried, too.
class Export {
 public:
  Export(const Server& server, const std::string& prefix, ExportWriter& writer)
      : server_(server), prefix_(prefix), writer_(writer) {}

  Result<void> run();
  std::uint64_t without_expiry() const { return without_expiry_; }

 private:
  Result<std::size_t> first_primary(Checkpoint& position);
  Result<void> write_header();
  Result<void> write_primary(std::size_t number, Checkpoint position);
  Result<void> write_sessions(Primary& primary, const std::vector<std::string>& keys);
  Result<void> write_marks(Primary& primary, const std::vector<std::string>& keys);

  const Server& server_;
  const std::string& prefix_;
  ExportWriter& writer_;
  Progress progress_{"sessions"};
  std::uint64_t without_expiry_ = 0;
};

Result<void> Export::run() {
  Checkpoint position{.run_id = {}, .is_at_marks = false, .cursor = "0"};
  const auto first = first_primary(position);
  if (!first) return std::unexpected(first.error());
  for (auto number = *first; number < server_.primaries().size(); ++number) {
    if (auto written = write_primary(number, position); !written) return written;
    position = {.run_id = {}, .is_at_marks = false, .cursor = "0"};
  }
  if (auto checked = server_.check_slots(); !checked) return checked;
  return writer_.finish();
}

// A cursor means something only to the run of the server that gave it.
Result<std::size_t> Export::first_primary(Checkpoint& position) {
  const auto& resumed = writer_.resumed_at();
  if (resumed && server_.is_cluster()) {
    // Sessions may have gone from a primary that was not reached yet to one that was.
    fmt::print(stderr, "obolctl: the export of a cluster starts again\n");
  } else if (resumed && !resumed->run_id.empty()) {
    for (std::size_t number = 0; number < server_.primaries().size(); ++number) {
      if (server_.primaries()[number]->run_id() != resumed->run_id) continue;
      position = *resumed;
      fmt::print(stderr, "obolctl: continues after {} exported before\n", counted(writer_.sessions(), "session"));
      return number;
    }
    fmt::print(stderr, "obolctl: this is another server, or it was restarted; the export starts again\n");
  }
  if (auto restarted = writer_.restart(); !restarted) return std::unexpected(std::move(restarted.error()));
  if (auto written = write_header(); !written) return std::unexpected(std::move(written.error()));
  return 0;
}

Result<void> Export::write_header() {
  const auto inspection = server_.primaries().front()->inspect(std::vector{Command{"ECHO", ""}});
  if (!inspection) return std::unexpected(inspection.error());
  return writer_.write(
      ExportHeader{.key_prefix = prefix_,
                   .server = escaped(inspection->server.name()),
                   .created_at = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now())});
}

Result<void> Export::write_primary(std::size_t number, Checkpoint position) {
  auto& primary = *server_.primaries()[number];
  position.run_id = primary.run_id();
  const auto count = static_cast<double>(server_.primaries().size());
  for (bool is_done = false; !is_done;) {
    if (auto going = check_interruption(); !going) return going;
    const auto pattern = position.is_at_marks ? mark_keys_pattern(prefix_) : stored_keys_pattern(prefix_);
    const auto page = scan(primary, position.cursor, pattern, position.is_at_marks ? "string" : "hash");
    if (!page) return std::unexpected(page.error());
    auto written = position.is_at_marks ? write_marks(primary, page->keys) : write_sessions(primary, page->keys);
    if (!written) return written;
    position.cursor = page->cursor;
    if (position.cursor == "0") is_done = std::exchange(position.is_at_marks, true);
    // A last one would begin the marks anew.
    if (is_done) break;
    if (auto kept = writer_.checkpoint(position); !kept) return kept;
    const double fraction = position.is_at_marks ? 1 : scanned_fraction(position.cursor);
    progress_.show((static_cast<double>(number) + fraction) / count, writer_.sessions());
  }
  return {};
}

Result<void> Export::write_sessions(Primary& primary, const std::vector<std::string>& keys) {
  std::vector<StoredKey> stored_keys;
  for (const auto& key : keys) {
    if (auto stored_key = parse_stored_key(prefix_, key)) stored_keys.push_back(std::move(*stored_key));
  }
  auto sessions = read_sessions_with_expiry(primary, stored_keys);
  if (!sessions) return std::unexpected(std::move(sessions.error()));
  for (auto& session : *sessions) {
    if (!session.expiry) {
      ++without_expiry_;
      continue;
    }
    auto written = writer_.write(ExportedSession{.user_id = std::move(session.stored_key.user_id),
                                                 .type = std::move(session.stored_key.type),
                                                 .id = std::move(session.id),
                                                 .expires_at = *session.expiry,
                                                 .sealed = std::move(session.sealed)});
    if (!written) return written;
  }
  return {};
}

Result<void> Export::write_marks(Primary& primary, const std::vector<std::string>& keys) {
  std::vector<Command> commands;
  std::vector<StoredKey> stored_keys;
  for (const auto& key : keys) {
    auto stored_key = parse_mark_key(prefix_, key);
    if (!stored_key) continue;
    stored_keys.push_back(std::move(*stored_key));
    commands.push_back({"GET", key});
    commands.push_back({"PEXPIRETIME", key});
  }
  const auto replies = primary.call_all(commands);
  if (!replies) return std::unexpected(replies.error());
  for (std::size_t i = 0; i < stored_keys.size(); ++i) {
    const auto& mark = (*replies)[2 * i];
    const auto expires = (*replies)[2 * i + 1].integer;
    if (mark.kind != Reply::Kind::text || !is_mark(mark.text) || expires < 0) continue;
    auto written = writer_.write(ExportedMark{.user_id = std::move(stored_keys[i].user_id),
                                              .type = std::move(stored_keys[i].type),
                                              .expires_at = FieldExpiry(std::chrono::milliseconds(expires)),
                                              .mark = std::string(mark.text)});
    if (!written) return written;
  }
  return {};
}

}  // namespace

Result<ExitCode> export_sessions(const Context& context, const std::string& path) {
  const auto options = read_options(context.common, context.environment);
  if (!options) return std::unexpected(options.error());
  const auto server = Server::connect(*options);
  if (!server) return std::unexpected(server.error());
  auto writer = ExportWriter::open(path, options->key_prefix);
  if (!writer) return std::unexpected(std::move(writer.error()));
  std::uint64_t without_expiry = 0;
  {
    Export exporting(*server, options->key_prefix, *writer);
    if (auto run = exporting.run(); !run) {
      if (run.error().code == std::errc::interrupted) {
        run.error().message = fmt::format("interrupted; the same command continues from {}.partial", path);
      }
      return std::unexpected(std::move(run.error()));
    }
    without_expiry = exporting.without_expiry();
  }
  if (without_expiry > 0) {
    fmt::print(stderr, "obolctl: {} left out because they would never expire\n", counted(without_expiry, "session"));
  }
  if (context.common.is_json) {
    print_json(Json{{"sessions", writer->sessions()}, {"marks", writer->marks()}, {"left_out", without_expiry}});
  } else {
    fmt::print("exported {} and {}\n", counted(writer->sessions(), "session"),
               counted(writer->marks(), "revocation mark"));
  }
  return ExitCode::done;
}

}  // namespace obol::ctl

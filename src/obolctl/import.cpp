// obolctl import: puts an export into a server. What stands there and is newer stays.
#include <fmt/format.h>

#include <array>
#include <map>
#include <span>

#include "obolctl/commands.hpp"
#include "obolctl/export_file.hpp"
#include "obolctl/import_progress.hpp"
#include "obolctl/interruption.hpp"
#include "obolctl/json.hpp"
#include "obolctl/progress.hpp"
#include "obolctl/server.hpp"
#include "obolctl/text.hpp"
#include "redis/protocol/server_time.hpp"
#include "store/session_commands.hpp"

namespace obol::ctl {
namespace {

using redis::Command;

constexpr std::size_t batch_lines = 200;
constexpr std::size_t batch_bytes = std::size_t{4} * 1024 * 1024;

struct Counts {
  std::uint64_t imported = 0;
  std::uint64_t replaced = 0;  ///< An older one, or, where that was asked for, any.
  std::uint64_t same = 0;      ///< Stood already, byte for byte.
  std::uint64_t kept = 0;      ///< Another one stands.
  std::uint64_t expired = 0;   ///< Since they were exported.
  std::uint64_t marks = 0;
};

std::string milliseconds(FieldExpiry time) { return fmt::format("{}", time.time_since_epoch().count()); }

/// In nanoseconds, as the clock counts, the year 2262 is the last.
FieldExpiry now_in_milliseconds() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

/// Lock versions, compared as the servers compare them.
std::string_view lock_version(std::string_view sealed) { return sealed.substr(0, 8); }

class Import {
 public:
  Import(const Server& server, std::string prefix, bool overwrites)
      : server_(server), prefix_(std::move(prefix)), overwrites_(overwrites) {}

  Result<void> put(std::span<const ExportedSession> sessions);
  Result<void> put(std::span<const ExportedMark> marks);
  const Counts& counts() const { return counts_; }

 private:
  using Sessions = std::vector<const ExportedSession*>;
  struct Written {
    redis::Reply reply;
    bool is_past = false;  ///< By the server's clock it has expired.
  };
  Result<std::vector<Written>> send(const Sessions& sessions, std::span<const Command> commands) const;
  Result<void> settle(const ExportedSession& session, const std::string& key);
  std::string key_of(const auto& line) const { return stored_key(prefix_, line.user_id, line.type); }

  const Server& server_;
  std::string prefix_;
  bool overwrites_;
  Counts counts_;
};

Result<void> Import::put(std::span<const ExportedSession> sessions) {
  const auto now = now_in_milliseconds();
  Sessions live;
  std::vector<Command> commands;
  for (const auto& session : sessions) {
    if (session.expires_at <= now) {
      ++counts_.expired;
      continue;
    }
    live.push_back(&session);
    commands.push_back({"HSETEX", key_of(session), "FNX", "PXAT", milliseconds(session.expires_at), "FIELDS", "1",
                        session.id, session.sealed});
  }
  if (live.empty()) return {};
  const auto replies = send(live, commands);
  if (!replies) return std::unexpected(replies.error());
  for (std::size_t i = 0; i < live.size(); ++i) {
    const auto created = create_result((*replies)[i].reply);
    if (!created) return std::unexpected(created.error());
    // By the server's clock: what is past it deletes, and says that it has stored it.
    if (*created && (*replies)[i].is_past) {
      ++counts_.expired;
    } else if (*created) {
      ++counts_.imported;
    } else if (auto settled = settle(*live[i], key_of(*live[i])); !settled) {
      return settled;
    }
  }
  return {};
}

// Together to each primary, whatever the order in the file.
Result<std::vector<Import::Written>> Import::send(const Sessions& sessions, std::span<const Command> commands) const {
  std::map<Primary*, std::vector<std::size_t>> parts;
  for (std::size_t i = 0; i < commands.size(); ++i) parts[&server_.primary_of(key_of(*sessions[i]))].push_back(i);
  std::vector<Written> replies(commands.size());
  for (const auto& [primary, part] : parts) {
    std::vector<Command> own;
    for (const auto i : part) own.push_back(commands[i]);
    own.push_back({"TIME"});
    auto got = primary->call_all(own);
    if (!got) return std::unexpected(std::move(got.error()));
    const auto time = redis::server_time(got->back());
    if (!time) return unexpected_reply();
    for (std::size_t i = 0; i < part.size(); ++i) {
      replies[part[i]] = {.reply = std::move((*got)[i]), .is_past = *time >= sessions[part[i]]->expires_at};
    }
  }
  return replies;
}

// One stands. It is replaced only as exactly the bytes that were compared, or the look is repeated.
Result<void> Import::settle(const ExportedSession& session, const std::string& key) {
  auto& primary = server_.primary_of(key);
  for (int attempt = 0; attempt < 10; ++attempt) {
    auto reply = primary.call(get_command(key, session.id));
    if (!reply) return std::unexpected(std::move(reply.error()));
    const auto standing = get_result(*reply);
    if (!standing) return std::unexpected(standing.error());
    // Deleted since: somebody logs out here already, and that counts.
    if (!*standing) break;
    if (**standing == session.sealed) {
      ++counts_.same;
      return {};
    }
    if (!overwrites_ && lock_version(**standing) >= lock_version(session.sealed)) break;
    const auto exchanged =
        primary.call(exchange_command(key, session.id, **standing, session.sealed, session.expires_at));
    if (!exchanged) return std::unexpected(exchanged.error());
    const auto result = exchange_result(*exchanged);
    if (!result) return std::unexpected(result.error());
    if (*result == Exchange::replaced) {
      ++counts_.replaced;
      return {};
    }
    if (*result == Exchange::expired) {
      ++counts_.expired;
      return {};
    }
  }
  ++counts_.kept;
  return {};
}

// A mark that stands was set here, later than any that was exported.
Result<void> Import::put(std::span<const ExportedMark> marks) {
  const auto now = now_in_milliseconds();
  for (const auto& mark : marks) {
    if (mark.expires_at <= now) continue;
    const auto key = key_of(mark);
    const std::array commands{Command{"SET", mark_key(key), mark.mark, "NX", "PXAT", milliseconds(mark.expires_at)},
                              Command{"TIME"}};
    const auto replies = server_.primary_of(key).call_all(commands);
    if (!replies) return std::unexpected(replies.error());
    if (const auto time = redis::server_time(replies->back()); time && *time < mark.expires_at) ++counts_.marks;
  }
  return {};
}

struct Batch {
  std::vector<ExportedSession> sessions;
  std::vector<ExportedMark> marks;
  bool is_last = false;
};

Result<Batch> next_batch(ExportReader& reader) {
  Batch batch;
  std::size_t bytes = 0;
  while (batch.sessions.size() + batch.marks.size() < batch_lines && bytes < batch_bytes && !batch.is_last) {
    auto line = reader.next();
    if (!line) return std::unexpected(std::move(line.error()));
    if (auto* session = std::get_if<ExportedSession>(&*line)) {
      bytes += session->sealed.size();
      batch.sessions.push_back(std::move(*session));
    } else if (auto* mark = std::get_if<ExportedMark>(&*line)) {
      batch.marks.push_back(std::move(*mark));
    } else {
      batch.is_last = std::holds_alternative<ExportTrailer>(*line);
    }
  }
  return batch;
}

std::string target_of(const Server& server, const RedisStoreOptions& options) {
  std::string target = fmt::format("database {}", options.connection.database);
  for (const auto& primary : server.primaries())
    target += fmt::format(", {} {}", primary->endpoint(), primary->run_id());
  return escaped(target);
}

Result<void> run(ExportReader& reader, Import& import, ImportProgress& progress, const std::string& path) {
  Progress bar("records");
  std::uint64_t records = 0;
  for (bool is_last = false; !is_last;) {
    if (auto going = check_interruption(); !going) {
      going.error().message = "interrupted; the same command continues where this one ended";
      return going;
    }
    const auto batch = next_batch(reader);
    if (!batch) return std::unexpected(batch.error());
    if (auto put = import.put(batch->sessions); !put) return put;
    if (auto put = import.put(batch->marks); !put) return put;
    is_last = batch->is_last;
    progress.offset = reader.offset();
    if (auto kept = write_import_progress(path, progress); !kept) return kept;
    records += batch->sessions.size() + batch->marks.size();
    bar.show(static_cast<double>(reader.offset()) / static_cast<double>(reader.size()), records);
  }
  remove_import_progress(path);
  return {};
}

void report(const Counts& counts, bool is_json) {
  if (is_json) {
    print_json(Json{{"imported", counts.imported},
                    {"replaced", counts.replaced},
                    {"same", counts.same},
                    {"kept", counts.kept},
                    {"expired", counts.expired},
                    {"marks", counts.marks}});
    return;
  }
  fmt::print("imported {} and {}\n", counted(counts.imported, "session"), counted(counts.marks, "revocation mark"));
  const std::array<std::pair<std::uint64_t, std::string_view>, 4> others{
      {{counts.replaced, "replaced an older one"},
       {counts.same, "were there already"},
       {counts.kept, "left out: the server has a newer one"},
       {counts.expired, "left out: expired"}}};
  for (const auto& [count, what] : others) {
    if (count > 0) fmt::print("{} {}\n", count, what);
  }
}

}  // namespace

Result<ExitCode> import_sessions(const Context& context, const ImportArguments& arguments) {
  const auto options = read_options(context.common, context.environment);
  if (!options) return std::unexpected(options.error());
  auto reader = ExportReader::open(arguments.path);
  if (!reader && reader.error().code == ErrorCode::protocol) {
    fmt::print(stderr, "obolctl: error: {}\n", printable(reader.error().message));
    return ExitCode::not_verified;
  }
  if (!reader) return std::unexpected(std::move(reader.error()));
  if (reader->header().key_prefix != options->key_prefix) {
    return std::unexpected(Error{
        ErrorCode::invalid_argument,
        fmt::format("the export is of the prefix {}, not {}: a session is sealed for its key and would not verify "
                    "under another one; give --prefix {}",
                    escaped(reader->header().key_prefix), escaped(options->key_prefix),
                    escaped(reader->header().key_prefix))});
  }
  const auto server = Server::connect(*options);
  if (!server) return std::unexpected(server.error());
  ImportProgress progress{.target = target_of(*server, *options), .sha256 = reader->trailer().sha256, .offset = 0};
  const auto earlier = read_import_progress(arguments.path, progress);
  if (!earlier) return std::unexpected(earlier.error());
  if (*earlier && (*earlier)->offset < reader->size()) {
    progress = **earlier;
    reader->seek(progress.offset);
    fmt::print(stderr, "obolctl: continues where an earlier import ended\n");
  }
  Import import(*server, options->key_prefix, arguments.overwrites);
  if (auto done = run(*reader, import, progress, arguments.path); !done) {
    return std::unexpected(std::move(done.error()));
  }
  report(import.counts(), context.common.is_json);
  return ExitCode::done;
}

}  // namespace obol::ctl

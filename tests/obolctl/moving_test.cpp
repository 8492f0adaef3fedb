// Sessions moved between servers: whole, with their expiry, also where the move is killed half-way.
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "obolctl/export_file.hpp"
#include "obolctl/program.hpp"
#include "store/session_commands.hpp"
#include "support/fault_proxy.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

using Json = nlohmann::json;

class Moving : public ServerTest {
 protected:
  Outcome run_on(const TestServer& where, std::vector<std::string> arguments) const {
    arguments.emplace_back("--json");
    return Program(std::move(arguments), environment_for(where)).wait();
  }

  void fill(int users) {
    auto store = store_on(server);
    for (int user = 0; user < users; ++user) {
      auto session = new_session("user " + std::to_string(user), "id\xff");
      if (user == 1) session.refresh_expires_at = latest_expiry;
      ASSERT_TRUE(store.upsert(session));
    }
  }

  void write_export(const std::vector<ctl::ExportLine>& lines) const {
    auto writer = ctl::ExportWriter::open(file, "obol_").value();
    ASSERT_TRUE(writer.write(ctl::ExportHeader{.key_prefix = "obol_", .server = "a server", .created_at = {}}));
    for (const auto& line : lines) ASSERT_TRUE(writer.write(line));
    ASSERT_TRUE(writer.finish());
  }

  using MakeLine = std::function<ctl::ExportLine(FieldExpiry)>;

  /// Imports a line into `other`, where the first command of that word arrives after the line's expiry: to the server
  /// it is one from a machine whose clock is behind. If obolctl is so slow that it sees the expiry itself, again with a
  /// later one.
  Outcome import_too_late(const std::string& word, const MakeLine& make_line) const {
    using std::chrono::milliseconds;
    FaultProxy proxy(other);
    auto environment = environment_for(other);
    environment["OBOL_REDIS_URI"] = "unix://" + proxy.connection().unix_socket;
    Outcome outcome;
    for (milliseconds lives(500); proxy.faults() == 0 && lives < std::chrono::minutes(1); lives *= 2) {
      std::filesystem::remove(file);
      write_export({make_line(std::chrono::floor<milliseconds>(std::chrono::system_clock::now() + lives))});
      proxy.once(Fault::deliver_late(lives), word);
      outcome = Program({"import", file, "--json", "--timeout", "120"}, environment).wait();
      proxy.heal();
    }
    EXPECT_EQ(proxy.faults(), 1U) << word;
    return outcome;
  }

  /// Everything that stands, with its expiry, in the order of the keys.
  static std::vector<std::string> everything_on(const TestServer& where) {
    const auto reply = where.command({"EVAL", R"(
      local keys = redis.call('KEYS', '*:full')
      table.sort(keys)
      local all = {}
      for _, key in ipairs(keys) do
        for _, id in ipairs(redis.call('HKEYS', key)) do
          local ends = redis.call('HPEXPIRETIME', key, 'FIELDS', '1', id)[1]
          all[#all + 1] = key .. ' ' .. id .. ' ' .. redis.call('HGET', key, id) .. ' until ' .. tostring(ends)
        end
      end
      return all)",
                                      "0"});
    std::vector<std::string> all;
    for (const auto& line : reply.elements) all.emplace_back(line.text);
    return all;
  }

  /// Starts it, and sends the signal once `file` holds the text; again where it was done too soon.
  Outcome signalled(const TestServer& where, const std::string& command, int signal, const std::string& awaited_file,
                    std::string_view awaited_text) {
    for (int attempt = 0; attempt < 20; ++attempt) {
      Program program({command, file}, environment_for(where));
      while (contents(awaited_file).find(awaited_text) == std::string::npos && !program.has_ended()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      where.signal(SIGSTOP);
      program.signal(signal);
      if (signal != SIGKILL) where.signal(SIGCONT);
      auto outcome = program.wait();
      where.signal(SIGCONT);
      if (outcome.status != 0) return outcome;
      if (command == "export") std::filesystem::remove(file);
      if (command == "import") where.command({"FLUSHALL"});
    }
    return {};
  }

  TestServer other{GetParam() == ServerKind::redis ? ServerKind::valkey : ServerKind::redis};
  Folder folder;
  std::string file = folder.path("sessions");
};

TEST_P(Moving, SessionsAndMarksArriveAsTheyStoodAndComeBack) {
  fill(20);
  server.command({"SET", "obol_{user 1}:full/revoked", "1700000000", "EX", "1000"});
  const auto before = everything_on(server);
  const auto exported = run_on(server, {"export", file});
  ASSERT_EQ(exported.status, 0) << exported.err;
  EXPECT_EQ(Json::parse(exported.out), Json({{"sessions", 20}, {"marks", 1}, {"left_out", 0}}));
  struct stat status{};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);

  const auto imported = run_on(other, {"import", file});
  ASSERT_EQ(imported.status, 0) << imported.err;
  EXPECT_EQ(Json::parse(imported.out)["imported"], 20);
  EXPECT_EQ(everything_on(other), before);
  EXPECT_EQ(other.command({"GET", "obol_{user 1}:full/revoked"}).text, "1700000000");
  EXPECT_GT(other.command({"TTL", "obol_{user 1}:full/revoked"}).integer, 900);
  EXPECT_EQ(store_on(other).get_all("user 7", "full")->size(), 1U);

  server.command({"FLUSHALL"});
  ASSERT_EQ(run_on(other, {"export", folder.path("back")}).status, 0);
  ASSERT_EQ(run_on(server, {"import", folder.path("back")}).status, 0);
  EXPECT_EQ(everything_on(server), before);
}

TEST_P(Moving, WhatIsNewerOnTheServerStaysUnlessToldOtherwise) {
  fill(3);
  ASSERT_EQ(run_on(server, {"export", file}).status, 0);
  auto store = store_on(server);
  auto refreshed = store.get({.user_id = "user 0", .id = "id\xff"}).value().value();
  refreshed.extra_payload = "newer";
  ASSERT_TRUE(store.upsert(refreshed));
  EXPECT_EQ(Json::parse(run_on(server, {"import", file}).out),
            Json({{"imported", 0}, {"replaced", 0}, {"same", 2}, {"kept", 1}, {"expired", 0}, {"marks", 0}}));
  EXPECT_EQ(store.get(refreshed.key()).value()->extra_payload, "newer");
  EXPECT_EQ(Json::parse(run_on(server, {"import", file, "--overwrite"}).out)["replaced"], 1);
  EXPECT_EQ(store.get(refreshed.key()).value()->extra_payload, "payload");
}

TEST_P(Moving, WhatIsOlderOnTheServerIsReplaced) {
  fill(1);
  ASSERT_EQ(run_on(server, {"export", folder.path("older")}).status, 0);
  auto store = store_on(server);
  auto session = store.get({.user_id = "user 0", .id = "id\xff"}).value().value();
  ASSERT_TRUE(store.upsert(session));
  ASSERT_EQ(run_on(server, {"export", file}).status, 0);
  ASSERT_EQ(run_on(other, {"import", folder.path("older")}).status, 0);
  EXPECT_EQ(Json::parse(run_on(other, {"import", file}).out)["replaced"], 1);
  EXPECT_EQ(everything_on(other), everything_on(server));
}

TEST_P(Moving, WhatHasExpiredSinceIsLeftOut) {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  std::vector<ctl::ExportLine> lines;
  for (const auto& [id, expires] : {std::pair{"ended", now}, std::pair{"live", now + std::chrono::hours(1)}}) {
    lines.emplace_back(
        ctl::ExportedSession{.user_id = "426", .type = "full", .id = id, .expires_at = expires, .sealed = "sealed"});
  }
  lines.emplace_back(ctl::ExportedMark{.user_id = "426", .type = "full", .expires_at = now, .mark = "1"});
  write_export(lines);
  EXPECT_EQ(Json::parse(run_on(other, {"import", file}).out)["expired"], 1);
  EXPECT_EQ(other.command({"HGETALL", "obol_{426}:full"}).elements.size(), 2U);
  EXPECT_EQ(other.command({"EXISTS", "obol_{426}:full/revoked"}).integer, 0);
}

TEST_P(Moving, WhatIsPastForTheServerAloneIsLeftOutAndNotCountedAsStored) {
  auto store = store_on(other);
  auto standing = new_session("user", "standing");
  ASSERT_TRUE(store.upsert(standing).has_value());
  const auto everything_before = everything_on(other);

  const std::map<std::string, MakeLine> lines{
      {"HSETEX",
       [](FieldExpiry ends) -> ctl::ExportLine {
         return ctl::ExportedSession{
             .user_id = "user", .type = "full", .id = "brief", .expires_at = ends, .sealed = "sealed"};
       }},
      {"FCALL",  // Newer than the one that stands.
       [](FieldExpiry ends) -> ctl::ExportLine {
         return ctl::ExportedSession{.user_id = "user",
                                     .type = "full",
                                     .id = "standing",
                                     .expires_at = ends,
                                     .sealed = std::string(100, '\xff')};
       }},
      {"SET", [](FieldExpiry ends) -> ctl::ExportLine {
         return ctl::ExportedMark{.user_id = "user", .type = "full", .expires_at = ends, .mark = "1700000000"};
       }}};
  for (const auto& [word, make_line] : lines) {
    const auto outcome = import_too_late(word, make_line);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(Json::parse(outcome.out), Json({{"imported", 0},
                                              {"replaced", 0},
                                              {"same", 0},
                                              {"kept", 0},
                                              {"expired", word == "SET" ? 0 : 1},
                                              {"marks", 0}}))
        << word;
    EXPECT_EQ(everything_on(other), everything_before) << word;
    EXPECT_EQ(other.command({"EXISTS", "obol_{user}:full/revoked"}).integer, 0) << word;
  }
}

TEST_P(Moving, AFileThatWasCutOrChangedImportsNothing) {
  fill(3);
  ASSERT_EQ(run_on(server, {"export", file}).status, 0);
  const auto whole = contents(file);
  const auto second_line = whole.find('\n') + 1;
  const auto without_a_line = whole.substr(0, second_line) + whole.substr(whole.find('\n', second_line) + 1);
  auto changed = whole;
  const auto at = changed.find(R"("sealed":")") + 20;
  changed[at] = changed[at] == 'A' ? 'B' : 'A';
  for (const auto& text : {std::string(), whole.substr(0, whole.size() / 2), whole.substr(0, whole.size() - 1),
                           without_a_line, changed, whole + whole, std::string("nonsense\n")}) {
    std::ofstream(file) << text;
    const auto outcome = run_on(other, {"import", file});
    EXPECT_EQ(outcome.status, 5) << text.size() << outcome.err;
    EXPECT_EQ(other.command({"DBSIZE"}).integer, 0);
  }
}

TEST_P(Moving, AnotherPrefixIsRefusedSinceNothingWouldVerify) {
  fill(1);
  ASSERT_EQ(run_on(server, {"export", file}).status, 0);
  const auto refused = run_on(other, {"import", file, "--prefix", "app_"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.err.find("--prefix obol_"), std::string::npos) << refused.err;
}

TEST_P(Moving, NoFileIsReplaced) {
  std::ofstream(file) << "precious";
  EXPECT_EQ(run_on(server, {"export", file}).status, 2);
  EXPECT_EQ(contents(file), "precious");
}

TEST_P(Moving, APartialThatSomebodyElseMayHaveWrittenIsRefusedAndLeft) {
  fill(1);
  const auto partial = file + ".partial";
  std::ofstream(partial) << "planted\n";
  std::filesystem::permissions(partial, std::filesystem::perms(0666));
  const auto refused = run_on(server, {"export", file});
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.err.find(".partial is open to other users"), std::string::npos) << refused.err;
  EXPECT_EQ(contents(partial), "planted\n");
  EXPECT_FALSE(std::filesystem::exists(file));
  std::filesystem::permissions(partial, std::filesystem::perms(0600));
  EXPECT_EQ(run_on(server, {"export", file}).status, 0);
}

TEST_P(Moving, AnExportThatWasKilledGoesOnWhereItWas) {
  constexpr int users = 3000;
  fill(users);
  ASSERT_EQ(signalled(server, "export", SIGKILL, file + ".partial", "\"cursor\"").status, 128 + SIGKILL);
  ASSERT_TRUE(contents(file).empty());
  std::ofstream(file + ".partial", std::ios::app) << R"({"user_id":"cut in the mid)";
  const auto resumed = run_on(server, {"export", file});
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("continues after"), std::string::npos) << resumed.err;
  ASSERT_EQ(run_on(other, {"import", file}).status, 0);
  EXPECT_EQ(everything_on(other), everything_on(server));
}

TEST_P(Moving, AnExportOfARestartedServerBeginsAnew) {
  fill(5);
  std::ofstream(file + ".partial")
      << R"({"obol_export":1,"key_prefix":"b2JvbF8","server":"Redis 8.0.2","created_at":1})"
         "\n"
      << R"({"user_id":"Z2hvc3Q","type":"full","id":"MQ","expires_at":9999999999999,"sealed":"AA"})"
         "\n"
      << R"({"cursor":"3","at_marks":false,"run_id":"of an earlier run"})"
         "\n";
  std::filesystem::permissions(file + ".partial", std::filesystem::perms(0600));
  const auto outcome = run_on(server, {"export", file});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(Json::parse(outcome.out)["sessions"], 5);
}

TEST_P(Moving, AnImportThatWasKilledGoesOnAndBringsNobodyBackWhoLoggedOut) {
  constexpr int users = 3000;
  fill(users);
  ASSERT_EQ(run_on(server, {"export", file}).status, 0);
  ASSERT_EQ(signalled(other, "import", SIGKILL, file + ".import", "\"offset\"").status, 128 + SIGKILL);
  // The file's first session has arrived: the progress covers it.
  std::string line;
  std::ifstream lines(file);
  std::getline(lines, line);
  std::getline(lines, line);
  const auto user = std::get<ctl::ExportedSession>(ctl::parse_export_line(line).value()).user_id;
  ASSERT_EQ(store_on(other).get_all(user, "full")->size(), 1U);
  ASSERT_TRUE(store_on(other).delete_all(user, "full"));
  const auto resumed = run_on(other, {"import", file});
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("continues where"), std::string::npos) << resumed.err;
  EXPECT_EQ(other.command({"DBSIZE"}).integer, users - 1);
  EXPECT_TRUE(store_on(other).get_all(user, "full")->empty());
  EXPECT_TRUE(contents(file + ".import").empty());
}

TEST_P(Moving, AnInterruptedExportEndsCleanlyAndCanGoOn) {
  fill(3000);
  const auto outcome = signalled(server, "export", SIGINT, file + ".partial", "\"cursor\"");
  EXPECT_EQ(outcome.status, 130);
  EXPECT_NE(outcome.err.find("continues"), std::string::npos) << outcome.err;
  EXPECT_EQ(run_on(server, {"export", file}).status, 0);
  EXPECT_FALSE(std::filesystem::exists(file + ".partial"));
}

OBOL_ON_BOTH_SERVERS(Moving);

}}  // namespace obol::testing

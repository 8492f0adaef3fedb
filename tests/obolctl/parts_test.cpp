// The pure parts of obolctl: texts, stored keys, settings, lines of exports, exit statuses.
#include <gtest/gtest.h>

#include <fstream>
#include <tuple>

#include "obolctl/exit_code.hpp"
#include "obolctl/export_format.hpp"
#include "obolctl/json.hpp"
#include "obolctl/program.hpp"
#include "obolctl/progress.hpp"
#include "obolctl/scan.hpp"
#include "obolctl/settings.hpp"
#include "obolctl/stored_key.hpp"
#include "obolctl/text.hpp"
#include "store/session_commands.hpp"
#include "support/sessions.hpp"

namespace obol::ctl { namespace {

using testing::secret;
using testing::signing_key;

std::string all_bytes() {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  return bytes;
}

TEST(Text, EscapedBytesArePrintableAsciiAndComeBackAsTheyWere) {
  const auto text = escaped(all_bytes());
  EXPECT_EQ(text.find_first_not_of(" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
                                   "abcdefghijklmnopqrstuvwxyz{|}~"),
            std::string::npos);
  EXPECT_EQ(unescaped(text).value(), all_bytes());
  EXPECT_EQ(escaped("a\\\x1b[2J\xc3\xa9"), R"(a\\\x1b[2J\xc3\xa9)");
}

TEST(Text, OnlyWhatIsWrittenByEscapedIsReadBack) {
  for (const auto* text : {"\\", "\\x", "\\x1", "\\xg0", "\\n", "a\\"}) {
    EXPECT_EQ(unescaped(text).error().code, ErrorCode::invalid_argument) << text;
  }
}

TEST(Text, TimesAreIso8601InUtc) {
  const auto at = [](std::int64_t seconds) { return iso8601(std::chrono::sys_seconds(std::chrono::seconds(seconds))); };
  EXPECT_EQ(at(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(at(1'700'000'000), "2023-11-14T22:13:20Z");
  EXPECT_EQ(at(-1), "1969-12-31T23:59:59Z");
  EXPECT_EQ(at(253'402'300'799), "9999-12-31T23:59:59Z");
  EXPECT_EQ(at(253'402'300'800), "-");
  EXPECT_EQ(at(std::numeric_limits<std::int64_t>::min()), "-");
}

TEST(Text, ColumnsAreAligned) {
  Table table({"A", "LONG"});
  table.add({"wide cell", "x"});
  EXPECT_EQ(table.text(), "A          LONG\nwide cell  x\n");
}

TEST(Text, SizesHaveUnits) {
  EXPECT_EQ(byte_count(1023), "1023 B");
  EXPECT_EQ(byte_count(1536), "1.5 KiB");
  EXPECT_EQ(byte_count(std::uint64_t{3} << 40), "3.0 TiB");
}

TEST(JsonOutput, BytesThatAreNoUtf8StandEscapedUnderANameOfTheirOwn) {
  Json object;
  add_bytes(object, "user_id", "m\xc3\xbcller");
  add_bytes(object, "id", "\xff\\");
  EXPECT_EQ(object.dump(), "{\"user_id\":\"m\xc3\xbcller\",\"id_escaped\":\"\\\\xff\\\\\\\\\"}");
}

TEST(Places, AreReadFromTheirKeysEnd) {
  for (const auto* user : {"426", "a}:full", "{x}", "\xff", "}"}) {
    const auto stored_key = make_stored_key("obol_", user, "full");
    EXPECT_EQ(parse_stored_key("obol_", stored_key.key), stored_key) << user;
    EXPECT_EQ(parse_mark_key("obol_", mark_key(stored_key.key)), stored_key) << user;
    EXPECT_FALSE(parse_stored_key("obol_", stored_key.key + "/revoked"));
    EXPECT_FALSE(parse_stored_key("obol_", stored_key.key + "/barrier"));
    EXPECT_FALSE(parse_mark_key("obol_", stored_key.key));
  }
}

TEST(Places, OtherKeysAreNone) {
  for (const auto* key : {"", "obol_", "obol_{}:full", "obol_426:full", "other_{426}:full",
                          "obol_{426}:", "obol_{426}:a:b", "obol_{426}full"}) {
    EXPECT_FALSE(parse_stored_key("obol_", key)) << key;
  }
}

TEST(Places, PatternsMatchSpecialLettersOnlyAsThemselves) {
  EXPECT_EQ(stored_keys_pattern("a*b?"), "a\\*b\\?{*}:*");
  EXPECT_EQ(stored_keys_pattern("p", "[x]\\"), "p{\\[x\\]\\\\}:*");
}

TEST(Scanning, CursorsCountBackwards) {
  EXPECT_DOUBLE_EQ(scanned_fraction("0"), 0);
  EXPECT_DOUBLE_EQ(scanned_fraction("1"), 0.5);
  EXPECT_DOUBLE_EQ(scanned_fraction("2"), 0.25);
  EXPECT_DOUBLE_EQ(scanned_fraction("7"), 0.875);
}

TEST(ProgressBar, ShowsHowFarItIs) {
  EXPECT_EQ(progress_line(0.5, 7, "sessions"), "[###############               ]  50 %  7 sessions");
}

Environment environment_of(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const char* name) -> std::optional<std::string> {
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional(found->second);
  };
}

TEST(ConnectionSettings, ThePasswordComesFromTheEnvironment) {
  const auto environment = environment_of({{"OBOL_REDIS_PASSWORD", "p@ss:/w%rd"}});
  for (const auto& [uri, user] : {std::pair{"redis://host", ""},
                                  {"redis://admin@host", "admin"},
                                  {"unix:///run/redis.sock", ""},
                                  {"rediss://admin@host?ca_file=/ca.pem", "admin"}}) {
    const auto connection = read_connection({.uri = uri}, environment);
    ASSERT_TRUE(connection) << uri << ": " << connection.error().message;
    EXPECT_EQ(connection->password, "p@ss:/w%rd") << uri;
    EXPECT_EQ(connection->username, user) << uri;
    EXPECT_EQ(connection->client_name, "obolctl");
  }
}

TEST(ConnectionSettings, TheOptionGoesBeforeTheEnvironment) {
  const auto environment =
      environment_of({{"OBOL_REDIS_URI", "redis://:secret@one"}, {"OBOL_REDIS_PASSWORD", "other"}});
  EXPECT_EQ(read_connection({}, environment)->host, "one");
  EXPECT_EQ(read_connection({}, environment)->password, "secret");
  EXPECT_EQ(read_connection({.uri = "redis://two"}, environment)->host, "two");
}

TEST(ConnectionSettings, APasswordOnTheCommandLineIsRefusedAndNotRepeated) {
  for (const auto& [uri, way_out] :
       {std::pair("redis://:hunter2@host", "OBOL_REDIS_PASSWORD"),
        {"Valkey://a:hunter2@host", "--password-file"},
        {"redis+sentinel://host/p?sentinel_password=hunter2", "OBOL_SENTINEL_PASSWORD"},
        {"redis+sentinel://host/p?db=1&sentinel_password=hunter2", "--sentinel-password-file"},
        {"redis+sentinel://host?sentinel_password=hunter2", "OBOL_SENTINEL_PASSWORD"},
        {"redis://a:hunter2/x@host", "change that password"},
        {"redis://a:hunter2?x@host", "change that password"}}) {
    const auto refused = read_connection({.uri = uri}, environment_of({}));
    ASSERT_FALSE(refused) << uri;
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(refused.error().message.find("hunter2"), std::string::npos);
    EXPECT_NE(refused.error().message.find(way_out), std::string::npos) << uri << refused.error().message;
  }
}

TEST(ConnectionSettings, AUserWithoutAPasswordIsRefusedWithWhereItBelongs) {
  const auto refused = read_connection({.uri = "redis://web@host"}, environment_of({}));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("OBOL_REDIS_PASSWORD"), std::string::npos) << refused.error().message;
  EXPECT_NE(refused.error().message.find("--password-file"), std::string::npos) << refused.error().message;
}

TEST(ConnectionSettings, TheSentinelsPasswordComesFromTheEnvironment) {
  const auto environment = environment_of({{"OBOL_SENTINEL_PASSWORD", "s&cr/t"}, {"OBOL_REDIS_PASSWORD", "other"}});
  const auto connection =
      read_connection({.uri = "rediss+Sentinel://web@host/p?sentinel_username=watcher"}, environment);
  ASSERT_TRUE(connection) << connection.error().message;
  EXPECT_EQ(connection->sentinel.username, "watcher");
  EXPECT_EQ(connection->sentinel.password, "s&cr/t");
  EXPECT_EQ(connection->password, "other");
  EXPECT_TRUE(read_connection({.uri = "redis://host"}, environment)->sentinel.password.empty());
}

TEST(ConnectionSettings, AFileOnTheCommandLineGoesBeforeAPasswordInTheEnvironment) {
  const auto environment = environment_of({{"OBOL_SENTINEL_PASSWORD", "one"}, {"OBOL_REDIS_PASSWORD", "two"}});
  const auto connection = read_connection(
      {.uri = "redis+sentinel://web@host/p?db=1", .password_file = "/run/a&b", .sentinel_password_file = "/run/c"},
      environment);
  ASSERT_TRUE(connection) << connection.error().message;
  EXPECT_EQ(connection->password_file, "/run/a&b");
  EXPECT_EQ(connection->sentinel.password_file, "/run/c");
  EXPECT_TRUE(connection->password.empty());
  EXPECT_TRUE(connection->sentinel.password.empty());
  EXPECT_EQ(read_connection({.uri = "redis://host?password_file=/run/d"}, environment)->password_file, "/run/d");
}

TEST(ConnectionSettings, AUserWhoNeedsNoPasswordIsNotTakenForOne) {
  const auto connection =
      read_connection({.uri = "redis://web:@host"}, environment_of({{"OBOL_REDIS_PASSWORD", "other"}}));
  ASSERT_TRUE(connection) << connection.error().message;
  EXPECT_EQ(connection->username, "web");
  EXPECT_EQ(connection->password, "");
}

TEST(ConnectionSettings, AnnouncedAddressesAreMapped) {
  const auto connection =
      read_connection({.uri = "redis+cluster://host", .address_map = {"10.0.0.1:6379=localhost:7001", "*=localhost"}},
                      environment_of({}));
  ASSERT_TRUE(connection) << connection.error().message;
  ASSERT_EQ(connection->address_map.size(), 2U);
  EXPECT_EQ(connection->address_map[0].announced, (ServerAddress{.host = "10.0.0.1", .port = 6379}));
  EXPECT_EQ(connection->address_map[1].reachable, (ServerAddress{.host = "localhost", .port = 0}));
  EXPECT_FALSE(read_connection({.uri = "redis://host", .address_map = {"10.0.0.1"}}, environment_of({})));
}

TEST(ConnectionSettings, NoServerIsGuessed) {
  EXPECT_EQ(read_connection({}, environment_of({})).error().code, ErrorCode::invalid_argument);
}

TEST(KeySettings, TheCurrentSecretSignsAndOldOnesVerify) {
  const auto keyring = read_keyring(
      "", environment_of({{"OBOL_SECRET", secret('n')}, {"OBOL_OLD_SECRETS", secret('k') + " " + secret('j')}}));
  ASSERT_TRUE(keyring);
  EXPECT_EQ(keyring->current_key_id(), signing_key('n').id());
  const auto with_id = read_keyring("", environment_of({{"OBOL_SECRET", secret('n') + ":mine"}}));
  EXPECT_EQ(with_id->current_key_id(), "mine");
}

TEST(KeySettings, ABaseSecretIsDerivedAsTheLibraryDoes) {
  const std::string base(40, 's');
  const auto keyring = read_keyring("", environment_of({{"OBOL_SECRET", base}}));
  EXPECT_EQ(keyring->current_key_id(), SigningKey::from_base_secret(base)->id());
}

TEST(KeySettings, AFileHasOneSecretALine) {
  const testing::Folder folder;
  const auto path = folder.path("secrets");
  std::ofstream(path) << secret('n') << "\n" << secret('k') << "\n";
  const auto keyring = read_keyring(path, environment_of({{"OBOL_SECRET", secret('x')}}));
  ASSERT_TRUE(keyring);
  EXPECT_EQ(keyring->current_key_id(), signing_key('n').id());
}

TEST(KeySettings, WhatIsNoSecretIsRefusedWithoutRepeatingIt) {
  for (const auto* bad : {"short", "hex-key:zz", "hex-key:abc", "hex-key:"}) {
    const auto refused = read_keyring("", environment_of({{"OBOL_SECRET", bad}}));
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(refused.error().message.find("zz"), std::string::npos);
  }
  const auto ambiguous = read_keyring(
      "", environment_of({{"OBOL_SECRET", secret('n') + ":k1"}, {"OBOL_OLD_SECRETS", secret('o') + ":k1"}}));
  ASSERT_FALSE(ambiguous);
  EXPECT_NE(ambiguous.error().message.find("two different keys have the id k1"), std::string::npos);
  EXPECT_FALSE(read_keyring("", environment_of({{"OBOL_OLD_SECRETS", secret('k')}})));
  EXPECT_FALSE(read_keyring("/nonexistent", environment_of({})));
  EXPECT_TRUE(read_keyring("", environment_of({}))->empty());
}

TEST(ExportLines, ComeBackAsTheyWere) {
  const FieldExpiry time(std::chrono::milliseconds(1'700'000'000'123));
  const auto text = to_text(ExportedSession{
      .user_id = all_bytes(), .type = "full", .id = "\xff\n", .expires_at = time, .sealed = all_bytes()});
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  const auto session = std::get<ExportedSession>(parse_export_line(text).value());
  EXPECT_EQ(session.user_id, all_bytes());
  EXPECT_EQ(session.id, "\xff\n");
  EXPECT_EQ(session.sealed, all_bytes());
  EXPECT_EQ(session.expires_at, time);
  const auto mark = std::get<ExportedMark>(
      parse_export_line(to_text(ExportedMark{.user_id = "4", .type = "full", .expires_at = time, .mark = "17"}))
          .value());
  EXPECT_EQ(std::tie(mark.user_id, mark.mark, mark.expires_at), std::tuple("4", "17", time));
  const auto checkpoint = std::get<Checkpoint>(
      parse_export_line(to_text(Checkpoint{.run_id = "r", .is_at_marks = true, .cursor = "18446744073709551615"}))
          .value());
  EXPECT_EQ(std::tie(checkpoint.run_id, checkpoint.is_at_marks, checkpoint.cursor),
            std::tuple("r", true, "18446744073709551615"));
}

TEST(ExportLines, AnythingElseIsRefused) {
  for (const auto* text :
       {"", "{", "[]", "1", "null", "{}", R"({"obol_export":2,"key_prefix":"","server":"","created_at":1})",
        R"({"user_id":"NDI2","type":"full","id":"=","expires_at":1,"sealed":""})",
        R"({"user_id":"","type":"full","id":"MQ","expires_at":1,"sealed":""})",
        R"({"user_id":"NDI2","type":"a:b","id":"MQ","expires_at":1,"sealed":""})",
        R"({"user_id":"NDI2","type":"full","id":"MQ","expires_at":"1","sealed":""})", "{\"mark\":\"\xff\"}"}) {
    EXPECT_FALSE(parse_export_line(text)) << text;
  }
}

TEST(ExitStatus, SaysWhatKindOfErrorItWas) {
  const auto status = [](std::error_code code) { return exit_code_of({code, {}}); };
  EXPECT_EQ(status(ErrorCode::invalid_argument), ExitCode::usage);
  EXPECT_EQ(status(ErrorCode::timeout), ExitCode::unreachable);
  EXPECT_EQ(status(ErrorCode::tls), ExitCode::unreachable);
  EXPECT_EQ(status(ErrorCode::auth), ExitCode::refused);
  EXPECT_EQ(status(ErrorCode::permission), ExitCode::refused);
  EXPECT_EQ(status(ErrorCode::out_of_memory), ExitCode::failed);
  EXPECT_EQ(status(std::make_error_code(std::errc::interrupted)), ExitCode::interrupted);
}

}}  // namespace obol::ctl

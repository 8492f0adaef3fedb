// Nothing that is stored, served or typed steers the terminal that obolctl prints to.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "obolctl/json.hpp"
#include "obolctl/program.hpp"
#include "obolctl/text.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

struct Hostile {
  const char* what;
  std::string bytes;
};

std::vector<Hostile> hostile_texts() {
  return {{"escape", "\x1b[2J"},
          {"newline", "\r\nobolctl: error: none"},
          {"tab", "\t"},
          {"null", std::string("\0", 1)},
          {"delete", "\x7f"},
          {"C1 control (CSI)",
           "\xc2\x9b"
           "2J"},
          {"C1 control (NEL)", "\xc2\x85"},
          {"raw C1 control",
           "\x9b"
           "2J"},
          {"Arabic letter mark", "\xd8\x9c"},
          {"left-to-right mark", "\xe2\x80\x8e"},
          {"right-to-left mark", "\xe2\x80\x8f"},
          {"left-to-right embedding", "\xe2\x80\xaa"},
          {"right-to-left override", "\xe2\x80\xae"},
          {"left-to-right isolate", "\xe2\x81\xa6"},
          {"pop directional isolate", "\xe2\x81\xa9"},
          {"line separator", "\xe2\x80\xa8"},
          {"paragraph separator", "\xe2\x80\xa9"},
          {"zero width space", "\xe2\x80\x8b"},
          {"invalid UTF-8", "\xff\xfe"},
          {"UTF-8 that is cut short", "\xe2\x80"},
          {"overlong escape", "\xc0\x9b"}};
}

bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char letter) { return letter >= ' ' && letter <= '~'; });
}
bool is_plain_lines(std::string text) {
  std::erase(text, '\n');
  return is_plain(text);
}

TEST(Terminal, GetsPlainAsciiForEveryText) {
  for (const auto& [what, bytes] : hostile_texts()) {
    EXPECT_TRUE(is_plain(ctl::escaped(bytes))) << what;
    EXPECT_EQ(ctl::unescaped(ctl::escaped(bytes)).value(), bytes) << what;
    EXPECT_TRUE(is_plain(ctl::printable("a message with " + bytes))) << what;
  }
  EXPECT_EQ(ctl::printable("\\xHH \x1b\xe2\x80\xae"), R"(\xHH \x1b\xe2\x80\xae)");
}

TEST(Terminal, GetsPlainAsciiForEveryJson) {
  for (const auto& [what, bytes] : hostile_texts()) {
    ctl::Json object{{"raw", bytes}};
    ctl::add_bytes(object, "user_id", bytes);
    const auto line = ctl::json_line(object);
    EXPECT_TRUE(is_plain(line)) << what << ": " << ctl::escaped(line);
    const auto read = nlohmann::json::parse(line);
    if (read.contains("user_id")) {
      EXPECT_EQ(read["user_id"], bytes) << what;
    } else {
      EXPECT_EQ(ctl::unescaped(read["user_id_escaped"].get<std::string>()).value(), bytes) << what;
    }
  }
}

class TerminalOf : public ServerTest {};

TEST_P(TerminalOf, EveryCommandGetsPlainAscii) {
  std::string user;
  for (const auto& [what, bytes] : hostile_texts()) user += bytes;
  auto store = store_on(server);
  auto session = new_session(user, user);
  session.extra_payload = session.refresh_token_id = user;
  ASSERT_TRUE(store.upsert(session));
  const auto name = ctl::escaped(user);
  const std::string typed = "\x1b[2J\xc2\x9b\xe2\x80\xae\x7f\xff";
  for (const auto& arguments : std::vector<std::vector<std::string>>{{"list", name},
                                                                     {"show", name, "full", name, "--payload"},
                                                                     {"show", name, typed, name},
                                                                     {"stats"},
                                                                     {"functions", "list"},
                                                                     {"diagnose"},
                                                                     {"acl", "--prefix", typed},
                                                                     {"list", typed, "--secret-file", typed},
                                                                     {"list", typed, "--uri", "redis://" + typed},
                                                                     {"list", typed, "--type", typed},
                                                                     {"import", typed},
                                                                     {"export", "/nonexistent/" + typed},
                                                                     {typed},
                                                                     {"list", "--" + typed},
                                                                     {"list", name, "--timeout", typed},
                                                                     {"revoke", name, "full", name},
                                                                     {"revoke-all", name, "--all-types"}}) {
    for (const bool is_json : {false, true}) {
      auto words = arguments;
      words.emplace_back("--escaped");
      if (is_json) words.emplace_back("--json");
      const auto outcome = Program(words, environment_for(server)).wait();
      EXPECT_TRUE(is_plain_lines(outcome.out)) << ctl::escaped(arguments[0] + ": " + outcome.out);
      EXPECT_TRUE(is_plain_lines(outcome.err)) << ctl::escaped(arguments[0] + ": " + outcome.err);
      EXPECT_FALSE(outcome.out.empty() && outcome.err.empty()) << ctl::escaped(arguments[0]);
    }
  }
}

OBOL_ON_BOTH_SERVERS(TerminalOf);

}}  // namespace obol::testing

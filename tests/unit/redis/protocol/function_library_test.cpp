// Functions in both forms: the commands that load and call them, and what the replies mean.
#include "redis/protocol/function_library.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace obol::redis { namespace {

constexpr auto scripts = FunctionForm::scripts;
constexpr auto plain_scripts = FunctionForm::plain_scripts;

constexpr std::array scripts_of_library{ServerScript{"f_1", "aaaa", "#!lua\nreturn 1", "1111"},
                                        ServerScript{"g_1", "bbbb", "#!lua flags=allow-oom\n\nreturn 2", "2222"}};
constexpr FunctionLibrary library{.name = "lib_1", .source = "#!lua name=lib_1", .scripts = scripts_of_library};

Reply text(std::string_view words) { return {.kind = Reply::Kind::text, .text = words}; }
Reply refusal(std::string_view words) { return {.kind = Reply::Kind::error, .text = words}; }

TEST(FunctionLibrary, IsLoadedNowOrStandsAlready) {
  EXPECT_EQ(library.load_command().bytes(), (Command{"FUNCTION", "LOAD", "#!lua name=lib_1"}.bytes()));
  EXPECT_TRUE(library.load_result(text("lib_1")).value());
  EXPECT_FALSE(library.load_result(refusal("ERR Library 'lib_1' already exists")).value());
  EXPECT_EQ(library.load_result(refusal("ERR Library 'other' already exists")).error().code, ErrorCode::server);
  EXPECT_EQ(library.load_result(refusal("OOM command not allowed")).error().code, ErrorCode::out_of_memory);
}

TEST(FunctionLibrary, IsNotLoadedIfTheReplyIsOfAnotherKind) {
  using enum Reply::Kind;
  for (const auto kind : {nil, integer, list, map, push, other}) {
    const auto loaded = library.load_result({.kind = kind});
    ASSERT_FALSE(loaded.has_value()) << static_cast<int>(kind);
    EXPECT_EQ(loaded.error().code, ErrorCode::protocol);
    EXPECT_NE(loaded.error().message.find("FUNCTION LOAD"), std::string::npos) << loaded.error().message;
  }
}

TEST(FunctionScripts, AreLoadedAllTogether) {
  const auto commands = library.script_load_commands(scripts);
  ASSERT_EQ(commands.size(), 2U);
  EXPECT_EQ(commands[1].bytes(), (Command{"SCRIPT", "LOAD", "#!lua flags=allow-oom\n\nreturn 2"}.bytes()));
  EXPECT_TRUE(library.script_load_result(std::array{text("aaaa"), text("bbbb")}, scripts));
  const auto plain = library.script_load_commands(plain_scripts);
  ASSERT_EQ(plain.size(), 2U);
  EXPECT_EQ(plain[1].bytes(), (Command{"SCRIPT", "LOAD", "\nreturn 2"}.bytes()));
  EXPECT_TRUE(library.script_load_result(std::array{text("1111"), text("2222")}, plain_scripts));
  EXPECT_FALSE(library.script_load_result(std::array{text("aaaa"), text("bbbb")}, plain_scripts));
}

TEST(FunctionScripts, ThatAreRefusedOrHashedOtherwiseAreNotLoaded) {
  using Kind = Reply::Kind;
  struct Case {
    Kind kind;
    std::string_view text;  ///< Of the reply to the second.
    ErrorCode code;
    std::string_view says;
  };
  for (const auto& [kind, words, code, says] :
       {Case{Kind::error, "NOPERM x", ErrorCode::permission, "+script|load"},
        Case{Kind::error, "ERR unknown command 'SCRIPT'", ErrorCode::unsupported_server, "to SCRIPT LOAD"},
        Case{Kind::error, "LOADING x", ErrorCode::unavailable, "the scripts could not be loaded"},
        Case{Kind::text, "cccc", ErrorCode::protocol, "not the script's SHA-1"},
        Case{Kind::integer, "", ErrorCode::protocol, "not the script's SHA-1"}}) {
    const auto loaded =
        library.script_load_result(std::array{text("aaaa"), Reply{.kind = kind, .text = words}}, scripts);
    ASSERT_FALSE(loaded.has_value());
    EXPECT_EQ(loaded.error().code, code);
    EXPECT_NE(loaded.error().message.find(says), std::string::npos) << loaded.error().message;
  }
}

TEST(FunctionScripts, AreTriedAsPlainOnesOnlyIfTheyDoNotCompile) {
  for (const auto& [words, is_one] :
       {std::pair{"ERR [string \"#!lua\"]:1: unexpected symbol near '#'", true},
        std::pair{"ERR Invalid flag: allow-oom", true},
        std::pair{"ERR Unexpected flag in script shebang: allow-oom", true}, std::pair{"ERR syntax error", true},
        std::pair{"ERR upstream failure", false}, std::pair{"NOPERM x", false}, std::pair{"LOADING x", false},
        std::pair{"ERR unknown command 'SCRIPT'", false}, std::pair{"MISCONF x", false},
        std::pair{"ERR Out of memory", false}, std::pair{"ERR max number of clients reached", false}}) {
    EXPECT_EQ(is_no_lua(std::array{text("aaaa"), refusal(words)}), is_one) << words;
  }
  EXPECT_FALSE(is_no_lua(std::array{text("aaaa"), text("bbbb")}));
}

TEST(FunctionScripts, AreCalledWithTheWordsOfTheFunctionsCall) {
  const Command call{"FCALL", "g_1", "2", "key", "another key", "argument"};
  const auto script = library.as_script(call, scripts);
  ASSERT_TRUE(script.has_value());
  EXPECT_EQ(script->bytes(), (Command{"EVALSHA", "bbbb", "2", "key", "another key", "argument"}.bytes()));
  EXPECT_EQ(script->name(), "EVALSHA");
  EXPECT_EQ(library.as_script(call, plain_scripts)->word(1), "2222");
  EXPECT_FALSE(library.as_script(call, FunctionForm::library));
}

TEST(FunctionScripts, AreNotCalledInPlaceOfAnythingElse) {
  EXPECT_FALSE(library.as_script({"HGET", "f_1", "1"}, scripts));
  EXPECT_FALSE(library.as_script({"FCALL", "f_2", "0"}, scripts));
  EXPECT_FALSE(library.as_script({"ECHO", "FCALL"}, scripts));
  const std::array commands{Command{"FCALL", "f_1", "0"}, Command{"WAIT", "1", "100"}};
  const auto all = library.as_scripts(commands, scripts);
  EXPECT_TRUE(library.as_scripts(commands, FunctionForm::library).empty());
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].bytes(), (Command{"EVALSHA", "aaaa", "0"}.bytes()));
  EXPECT_EQ(all[1].bytes(), commands[1].bytes());
}

}}  // namespace obol::redis

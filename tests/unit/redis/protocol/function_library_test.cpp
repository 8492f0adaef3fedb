// Functions in both forms: the commands that load and call them, and what the replies mean.
#include "redis/protocol/function_library.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace obol::redis { namespace {

constexpr std::array scripts{ServerScript{"f_1", "aaaa", "return 1"}, ServerScript{"g_1", "bbbb", "return 2"}};
constexpr FunctionLibrary library{.name = "lib_1", .source = "#!lua name=lib_1", .scripts = scripts};

Reply text(std::string_view words) { return {.kind = Reply::Kind::text, .text = words}; }
Reply refusal(std::string_view words) { return {.kind = Reply::Kind::error, .text = words}; }

TEST(FunctionLibrary, IsLoadedNowOrStandsAlready) {
  EXPECT_EQ(library.load_command().bytes(), (Command{"FUNCTION", "LOAD", "#!lua name=lib_1"}.bytes()));
  EXPECT_TRUE(library.load_result(text("lib_1")).value());
  EXPECT_FALSE(library.load_result(refusal("ERR Library 'lib_1' already exists")).value());
  EXPECT_EQ(library.load_result(refusal("ERR Library 'other' already exists")).error().code, ErrorCode::server);
  EXPECT_EQ(library.load_result(refusal("OOM command not allowed")).error().code, ErrorCode::out_of_memory);
}

TEST(FunctionScripts, AreLoadedAllTogether) {
  const auto commands = library.script_load_commands();
  ASSERT_EQ(commands.size(), 2U);
  EXPECT_EQ(commands[1].bytes(), (Command{"SCRIPT", "LOAD", "return 2"}.bytes()));
  EXPECT_TRUE(library.script_load_result(std::array{text("aaaa"), text("bbbb")}));
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
    const auto loaded = library.script_load_result(std::array{text("aaaa"), Reply{.kind = kind, .text = words}});
    ASSERT_FALSE(loaded.has_value());
    EXPECT_EQ(loaded.error().code, code);
    EXPECT_NE(loaded.error().message.find(says), std::string::npos) << loaded.error().message;
  }
}

TEST(FunctionScripts, AreCalledWithTheWordsOfTheFunctionsCall) {
  const Command call{"FCALL", "g_1", "2", "key", "another key", "argument"};
  const auto script = library.as_script(call);
  ASSERT_TRUE(script.has_value());
  EXPECT_EQ(script->bytes(), (Command{"EVALSHA", "bbbb", "2", "key", "another key", "argument"}.bytes()));
  EXPECT_EQ(script->name(), "EVALSHA");
}

TEST(FunctionScripts, AreNotCalledInPlaceOfAnythingElse) {
  EXPECT_FALSE(library.as_script({"HGET", "f_1", "1"}));
  EXPECT_FALSE(library.as_script({"FCALL", "f_2", "0"}));
  EXPECT_FALSE(library.as_script({"ECHO", "FCALL"}));
  const std::array commands{Command{"FCALL", "f_1", "0"}, Command{"WAIT", "1", "100"}};
  const auto all = library.as_scripts(commands);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].bytes(), (Command{"EVALSHA", "aaaa", "0"}.bytes()));
  EXPECT_EQ(all[1].bytes(), commands[1].bytes());
}

}}  // namespace obol::redis

// Error replies: what the caller is told and what the store does, by the first word alone.
#include "redis/protocol/reply_error.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "redis/protocol/command.hpp"

namespace obol::redis { namespace {

Reply error_reply(std::string_view text) { return {.kind = Reply::Kind::error, .text = text}; }

struct Case {
  const char* text;
  Remedy remedy;
  ErrorCode code;
};

class ErrorReply : public ::testing::TestWithParam<Case> {};

TEST_P(ErrorReply, IsClassified) {
  const auto reply = error_reply(GetParam().text);
  EXPECT_EQ(remedy_for(reply), GetParam().remedy);
  EXPECT_EQ(error_of(reply).code, GetParam().code);
}

INSTANTIATE_TEST_SUITE_P(
    Table, ErrorReply,
    ::testing::Values(Case{"READONLY You can't write against a read only replica.", Remedy::reconnect,
                           ErrorCode::unavailable},
                      Case{"READONLY", Remedy::reconnect, ErrorCode::unavailable},
                      Case{"LOADING Redis is loading the dataset in memory", Remedy::reconnect, ErrorCode::unavailable},
                      Case{"MASTERDOWN Link with MASTER is down", Remedy::reconnect, ErrorCode::unavailable},
                      Case{"CLUSTERDOWN Hash slot not served", Remedy::wait, ErrorCode::unavailable},
                      Case{"TRYAGAIN Multiple keys request", Remedy::wait, ErrorCode::unavailable},
                      Case{"BUSY Redis is busy running a script", Remedy::reconnect, ErrorCode::unavailable},
                      Case{"ERR max number of clients reached", Remedy::reconnect, ErrorCode::unavailable},
                      Case{"ERR Function not found", Remedy::load_functions, ErrorCode::unsupported_server},
                      Case{"NOSCRIPT No matching script.", Remedy::load_scripts, ErrorCode::unsupported_server},
                      Case{"OOM command not allowed", Remedy::fail, ErrorCode::out_of_memory},
                      Case{"ERR Out of memory", Remedy::fail, ErrorCode::out_of_memory},
                      Case{"MISCONF Redis is configured", Remedy::fail, ErrorCode::server},
                      Case{"NOREPLICAS Not enough good replicas", Remedy::fail, ErrorCode::server},
                      Case{"NOAUTH Authentication required.", Remedy::reconnect, ErrorCode::auth},
                      Case{"WRONGPASS invalid username-password pair", Remedy::fail, ErrorCode::auth},
                      Case{"NOPERM User x has no permissions", Remedy::fail, ErrorCode::permission},
                      Case{"ERR ACL failure in script: NOPERM", Remedy::fail, ErrorCode::permission},
                      Case{"MOVED 3999 127.0.0.1:6381", Remedy::follow, ErrorCode::unsupported_server},
                      Case{"ASK 3999 127.0.0.1:6381", Remedy::follow, ErrorCode::unsupported_server},
                      Case{"WRONGTYPE Operation against a key", Remedy::fail, ErrorCode::server},
                      Case{"DENIED Redis is running in protected mode", Remedy::fail, ErrorCode::auth},
                      Case{"ERR something new", Remedy::fail, ErrorCode::server}));

// Redis, Valkey, KeyDB and Dragonfly, Envoy, Codis, Upstash, managed services.
INSTANTIATE_TEST_SUITE_P(
    MissingCommands, ErrorReply,
    ::testing::Values(
        Case{"ERR unknown command 'HSETEX', with args beginning with: 'a' 'b' ", Remedy::fail,
             ErrorCode::unsupported_server},
        Case{"ERR unknown command `HSETEX`, with args beginning with: `a`", Remedy::fail,
             ErrorCode::unsupported_server},
        Case{"ERR unknown subcommand 'TRACKING'. Try CLIENT HELP.", Remedy::fail, ErrorCode::unsupported_server},
        Case{"ERR Unknown Redis command called from script script: x, on @user_function:1.", Remedy::fail,
             ErrorCode::unsupported_server},
        Case{"unsupported command 'HELLO'", Remedy::fail, ErrorCode::unsupported_server},
        Case{"ERR unsupported command 'fcall'", Remedy::fail, ErrorCode::unsupported_server},
        Case{"ERR command not supported", Remedy::fail, ErrorCode::unsupported_server},
        Case{"ERR invalid command", Remedy::fail, ErrorCode::unsupported_server},
        Case{"ERR handle request, command 'FUNCTION' is not allowed", Remedy::fail, ErrorCode::unsupported_server},
        Case{"ERR Command is not available: 'CONFIG'. See docs", Remedy::fail, ErrorCode::unsupported_server},
        Case{"ERR wrong number of arguments for 'hget' command", Remedy::fail, ErrorCode::server},
        Case{"ERR value is not an integer or out of range", Remedy::fail, ErrorCode::server}));

TEST(Redirect, NamesSlotAndNode) {
  const auto moved = redirect_of(error_reply("MOVED 3999 127.0.0.1:6381")).value();
  EXPECT_EQ(moved.kind, Redirect::Kind::moved);
  EXPECT_EQ(moved.slot, 3999);
  EXPECT_EQ(moved.to, (ServerAddress{.host = "127.0.0.1", .port = 6381}));
  EXPECT_EQ(redirect_of(error_reply("ASK 0 db-1.example:6381"))->kind, Redirect::Kind::ask);
  EXPECT_EQ(redirect_of(error_reply("MOVED 16383 ::1:6381"))->to, (ServerAddress{.host = "::1", .port = 6381}));
  EXPECT_EQ(redirect_of(error_reply("MOVED 1 :6381"))->to, (ServerAddress{.host = "", .port = 6381}));
}

TEST(Redirect, ThatIsMalformedIsNone) {
  for (const auto* text : {"MOVED", "MOVED ", "ASK", "MOVED 1", "MOVED 1 ", "MOVED 1 host", "MOVED 16384 h:1",
                           "MOVED -1 h:1", "MOVED x h:1", "MOVED 1 h:0", "MOVED 1 h:65536",
                           "MOVED 1 h:", "MOVED 1 h:1 ", "MOVED  h:1", "MOVED 1 a b:1", "MOVED:1"}) {
    EXPECT_FALSE(redirect_of(error_reply(text)).has_value()) << text;
  }
}

TEST(ErrorReplyMessage, NeverRepeatsWhatTheServerQuotes) {
  EXPECT_EQ(error_of(error_reply("ERR unknown command 'secret'")).message.find("secret"), std::string::npos);
}

TEST(ErrorReplyMessage, NamesTheCommandThatWasSent) {
  for (const auto* text : {"ERR unknown command", "NOPERM", "ERR something new", "OOM"}) {
    EXPECT_NE(error_of(error_reply(text), "HSETEX").message.find(" to HSETEX: "), std::string::npos) << text;
  }
}

TEST(ErrorReplyMessage, SaysThatAFunctionMissesACommand) {
  for (const auto* const text :
       {"ERR Unknown Redis command called from script script: x, on @user_function:1.",
        "ERR unknown command 'HSETEX', with args beginning with: 'key' script: x, on @user_script:1.",
        "ERR Error running script (call to f_1): user_script:3: unknown command `HSETEX`"}) {
    for (const auto* const command : {"FCALL", "EVALSHA"}) {
      EXPECT_TRUE(error_of(error_reply(text), command).message.contains("the function calls a command")) << text;
      EXPECT_EQ(remedy_for(error_reply(text), command), Remedy::fail) << "the server has functions";
    }
  }
}

TEST(ErrorReplyMessage, NamesScriptsAsTheWayOutForAServerWithoutFunctions) {
  for (const auto* command : {"FCALL", "FUNCTION LOAD"}) {
    EXPECT_NE(error_of(error_reply("ERR unknown command"), command).message.find("FunctionLoading::scripts"),
              std::string::npos);
  }
  EXPECT_EQ(error_of(error_reply("ERR unknown command"), "HGET").message.find("scripts"), std::string::npos);
}

TEST(ErrorReplyMessage, NamesThePermissionThatIsMissingAndWhatDoesWithoutIt) {
  constexpr std::string_view no_command = "NOPERM User web has no permissions to run the 'x' command";
  constexpr std::string_view no_key = "NOPERM No permissions to access a key";
  struct MissingRight {
    std::string_view error;
    std::string_view command;
    std::vector<std::string_view> told;
    std::string_view not_told;
  };
  for (const auto& [error, command, told, not_told] :
       {MissingRight{no_command,
                     "FCALL",
                     {"+fcall;", "FunctionLoading::scripts", "obolctl --scripts", "+evalsha"},
                     "key_prefix"},
        MissingRight{"NOPERM", "FCALL", {"+fcall;"}, "key_prefix"},
        MissingRight{no_command,
                     "FUNCTION LOAD",
                     {"+function|load;", "obolctl functions load", "FunctionLoading::require_loaded",
                      "FunctionLoading::scripts", "+script|load"},
                     "+fcall"},
        MissingRight{no_command, "EVALSHA", {"+evalsha,", "obolctl acl --scripts"}, "+fcall"},
        MissingRight{no_command, "SCRIPT LOAD", {"+script|load,", "obolctl acl --scripts"}, "+fcall"},
        MissingRight{no_command, "HGET", {"docs/operations.md", "obolctl acl"}, "scripts"},
        MissingRight{no_key, "FCALL", {"key_prefix", "obolctl acl --prefix"}, "+fcall"},
        MissingRight{"NOPERM User web has no permissions to access the 'secret' key", "HGET", {"key_prefix"}, "secret"},
        MissingRight{"NOPERM this user has no permissions to access one of the keys used as arguments",
                     "EVALSHA",
                     {"key_prefix"},
                     "+evalsha"},
        MissingRight{"NOPERM User key has no permissions to access a database", "FCALL", {"obolctl acl"}, "+fcall"}}) {
    const auto refused = error_of(error_reply(error), command);
    EXPECT_EQ(refused.code, ErrorCode::permission);
    for (const auto words : told) {
      EXPECT_TRUE(refused.message.contains(words)) << words << " is not in: " << refused.message;
    }
    EXPECT_FALSE(refused.message.contains(not_told)) << refused.message;
  }
}

TEST(CommandWords, AreReadFromTheEncodedCommand) {
  const Command command{"FCALL", "", "a word of more than nine bytes", "\r\n$1\r\n"};
  EXPECT_EQ(command.word(0), "FCALL");
  EXPECT_EQ(command.word(1), "");
  EXPECT_EQ(command.word(2), "a word of more than nine bytes");
  EXPECT_EQ(command.word(3), "\r\n$1\r\n");
}

TEST(CommandWords, TheFirstTwoCanBeReplaced) {
  const std::string large(300, 'x');
  for (const std::string_view rest : {std::string_view("rest"), std::string_view(large)}) {
    const Command command{"FCALL", "a function", "1", rest};
    EXPECT_EQ(command.with_first_words("EVALSHA", large).bytes(), (Command{"EVALSHA", large, "1", rest}.bytes()));
    EXPECT_EQ(command.with_first_words("", "").bytes(), (Command{"", "", "1", rest}.bytes()));
  }
  EXPECT_EQ((Command{"FCALL", "f"}.with_first_words("EVALSHA", "s").bytes()), (Command{"EVALSHA", "s"}.bytes()));
}

TEST(CommandName, IsTheFirstWordAndOfAContainerTheSecondToo) {
  EXPECT_EQ((Command{"HGET", "secret", "field"}.name()), "HGET");
  EXPECT_EQ((Command{"PING"}.name()), "PING");
  EXPECT_EQ((Command{"CLIENT", "TRACKING", "ON"}.name()), "CLIENT TRACKING");
  EXPECT_EQ((Command{"FUNCTION", "LOAD", "secret"}.name()), "FUNCTION LOAD");
  EXPECT_EQ((Command{"", "secret"}.name()), "");
}

std::string introduced(std::string_view text, HandshakeContext context) {
  return error_of_handshake(error_reply(text), context).message;
}

TEST(ErrorOfHandshake, TellsWhoHasSetAPasswordNotToSetOne) {
  const auto* const text = "NOAUTH Authentication required.";
  EXPECT_NE(introduced(text, {}).find("set connection.password"), std::string::npos);
  const auto told = introduced(text, {.sent_credentials = true});
  EXPECT_EQ(told.find("set connection.password"), std::string::npos) << told;
  EXPECT_NE(told.find("a proxy in between"), std::string::npos) << told;
}

TEST(ErrorOfHandshake, NamesTheSentinelsPasswordIfASentinelWantsOne) {
  EXPECT_NE(introduced("NOAUTH", {.is_to_sentinel = true}).find("set connection.sentinel.password"), std::string::npos);
}

TEST(ErrorOfSelect, DoesNotTakeEveryRefusalForAMissingDatabase) {
  EXPECT_EQ(error_of_select(error_reply("ERR DB index is out of range"), 3).code, ErrorCode::invalid_argument);
  EXPECT_EQ(error_of_select(error_reply("LOADING"), 3).code, ErrorCode::unavailable);
  EXPECT_EQ(error_of_select(error_reply("ERR unknown command 'SELECT'"), 3).code, ErrorCode::unsupported_server);
  const auto in_cluster = error_of_select(error_reply("ERR SELECT is not allowed in cluster mode"), 3);
  EXPECT_NE(in_cluster.message.find("which has only 0"), std::string::npos) << in_cluster.message;
}

// A server repeats arguments behind the words that tell an error, and these may hold the words of another.
TEST(ErrorReply, IsToldByItsBeginningWhateverItQuotes) {
  for (const std::string beginning :
       {"ERR ACL failure in script", "ERR Function not found", "ERR max number of clients", "NOAUTH", "LOADING"}) {
    const auto quoting = beginning + " unknown command 'x' called from script";
    const auto expect_same = [&](const Error& plain, const Error& told) {
      EXPECT_EQ(told.code, plain.code) << quoting;
      EXPECT_EQ(told.message, plain.message);
    };
    expect_same(error_of(error_reply(beginning), "HGET"), error_of(error_reply(quoting), "HGET"));
    expect_same(error_of_handshake(error_reply(beginning), {}), error_of_handshake(error_reply(quoting), {}));
    expect_same(error_of_select(error_reply(beginning), 3), error_of_select(error_reply(quoting), 3));
  }
}

}}  // namespace obol::redis

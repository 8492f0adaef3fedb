// What the replies to the store's commands mean, and that a reply of any other form is a protocol error.
#include "store/session_commands.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "support/replies.hpp"

namespace obol { namespace {

using redis::Reply;
using Kind = Reply::Kind;

using testing::list;
using testing::nil;
using testing::number;
using testing::numbers;
using testing::reply_of;
using testing::text;

template <class T>
std::error_code error_in(const Result<T>& result) {
  return result ? std::error_code() : result.error().code;
}

template <class T>
const T& value_of(const Result<T>& result) {
  EXPECT_TRUE(result.has_value()) << result.error().message;
  return result.value();
}

// A stored session may be anything, the server's words for "none" included; that is judged later, by its seal.
TEST(SessionFunctions, HaveAScriptForEachCallOfAFunction) {
  const SealedSession sealed{.id = "id", .lock_version = 2, .expiry = {}, .sealed = "sealed"};
  const RevocationMark mark{.at = {}, .lifetime = std::chrono::seconds(60)};
  const std::vector<redis::Command> calls{update_command("key", sealed, true),
                                          managed_create_command("key", sealed, {}, {}, Counting::always, true),
                                          thin_out_command("key", "0", {}),
                                          rotate_command("key", "old", sealed, mark, true),
                                          exchange_command("key", "id", "standing", "sealed", {}),
                                          delete_others_command("key", "kept", mark),
                                          delete_all_command("key", mark),
                                          barrier_command("key")};
  const auto functions = session_functions();
  std::set<std::string> hashes;
  for (const auto& call : calls) {
    ASSERT_EQ(call.name(), "FCALL");
    const auto script = functions.as_script(call, redis::FunctionForm::scripts);
    ASSERT_TRUE(script.has_value()) << call.word(1);
    hashes.emplace(script->word(1));
  }
  EXPECT_EQ(hashes.size(), calls.size());
  EXPECT_EQ(functions.scripts.size(), calls.size());
}

/// Whatever has allow-oom as a function, and nothing else, has it as a script.
TEST(SessionFunctions, HaveScriptsWithTheFlagsThatTheyAreRegisteredWith) {
  const auto functions = session_functions();
  for (const auto& script : functions.scripts) {
    const auto name = script.function.substr(0, script.function.rfind('_')).substr(std::string_view("obol_").size());
    const auto registration = functions.source.find(fmt::format("\nregister('{0}', {0}, {{", name));
    ASSERT_NE(registration, std::string_view::npos) << name;
    const auto line =
        functions.source.substr(registration + 1, functions.source.find('\n', registration + 1) - registration);
    EXPECT_EQ(script.source.starts_with("#!lua flags=allow-oom\n"), line.contains("allow-oom")) << name;
    EXPECT_EQ(script.source.starts_with("#!lua\n"), line.contains("{}")) << name;
  }
}

/// Some servers let a script touch no key that it was not given as one, unless it says so.
TEST(SessionFunctions, HaveAPlainScriptThatSaysWhetherAKeyIsAmongItsArguments) {
  for (const auto& script : session_functions().scripts) {
    const bool is_one = script.function.starts_with("obol_delete_others_");
    EXPECT_EQ(script.plain_source().starts_with("--!df flags=allow-undeclared-keys\n"), is_one) << script.function;
    EXPECT_FALSE(script.plain_source().contains("#!lua"));
    EXPECT_NE(script.plain_sha1, script.sha1);
  }
}

TEST(GetResult, IsTheStoredBytesOrNothing) {
  EXPECT_EQ(value_of(get_result(text("sealed"))), "sealed");
  EXPECT_EQ(value_of(get_result(text(""))), "");
  EXPECT_EQ(value_of(get_result(nil())), std::nullopt);
}

TEST(GetAllResult, IsEachFieldInTheServersOrder) {
  const auto reply = reply_of(Kind::map, text("b"), text("sealed b"), text("a"), text(""));
  const auto fields = get_all_result(reply).value();
  ASSERT_EQ(fields.size(), 2U);
  EXPECT_EQ(fields[0].id, "b");
  EXPECT_EQ(fields[0].sealed, "sealed b");
  EXPECT_EQ(fields[1].id, "a");
  EXPECT_EQ(fields[1].sealed, "");
  EXPECT_TRUE(value_of(get_all_result(reply_of(Kind::map))).empty());
}

TEST(CreateResult, IsTrueOnlyIfTheFieldWasSet) {
  EXPECT_TRUE(value_of(create_result(number(1))));
  EXPECT_FALSE(value_of(create_result(number(0))));
}

TEST(ManagedCreateResult, IsWhatTheFunctionSays) {
  using Outcome = CreateResult::Outcome;
  for (const auto& [word, outcome] : {std::pair{"stored", Outcome::stored}, std::pair{"revoked", Outcome::revoked},
                                      std::pair{"expired", Outcome::expired}, std::pair{"full", Outcome::full},
                                      std::pair{"crowded", Outcome::crowded}}) {
    const auto result = managed_create_result(list(text(word)));
    ASSERT_TRUE(result.has_value()) << word;
    EXPECT_EQ(result->outcome, outcome) << word;
    EXPECT_EQ(result->sealed, "") << word;
    EXPECT_TRUE(result->evicted.empty()) << word;
  }
}

TEST(ManagedCreateResult, NamesTheSessionsThatWereEvicted) {
  const auto result = managed_create_result(list(text("stored"), text("old"), text("older")));
  EXPECT_EQ(value_of(result).evicted, (std::vector<std::string>{"old", "older"}));
}

TEST(ManagedCreateResult, HasTheStoredBytesOfAConflict) {
  const auto reply = list(text("conflict"), text("sealed"));
  const auto result = managed_create_result(reply);
  EXPECT_EQ(value_of(result).outcome, CreateResult::Outcome::conflict);
  EXPECT_EQ(result->sealed, "sealed");
}

TEST(ThinOutResult, SaysWhereToGoOnAndWhatWasEvictedAndSeen) {
  const auto reply =
      list(text("17"), list(text("gone"), text("too")), list(text("a"), number(1000), text("b"), number(-1)));
  const auto result = thin_out_result(reply).value();
  EXPECT_EQ(result.cursor, "17");
  EXPECT_EQ(result.evicted, (std::vector<std::string>{"gone", "too"}));
  EXPECT_EQ(result.seen, (std::vector<ExpiringId>{{.expires_at = 1000, .id = "a"}, {.expires_at = -1, .id = "b"}}));
}

TEST(ThinOutResult, MayBeOfNoSession) {
  const auto result = thin_out_result(list(text("0"), list(), list())).value();
  EXPECT_EQ(result.cursor, "0");
  EXPECT_TRUE(result.evicted.empty());
  EXPECT_TRUE(result.seen.empty());
}

TEST(UpdateResult, IsWhatTheFunctionSays) {
  using Outcome = UpdateResult::Outcome;
  struct Case {
    Reply reply;
    Outcome outcome;
    std::string_view sealed;
  };
  std::vector<Case> cases;
  cases.push_back({number(1), Outcome::stored, ""});
  cases.push_back({number(-1), Outcome::expired, ""});
  cases.push_back({text("newer"), Outcome::conflict, "newer"});
  cases.push_back({nil(), Outcome::gone, ""});
  for (const auto& [reply, outcome, sealed] : cases) {
    const auto result = update_result(reply);
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_EQ(result->outcome, outcome);
    EXPECT_EQ(result->sealed, sealed);
  }
}

TEST(UpdateResult, OfARotationWhoseNewIdIsTakenIsAnErrorToTryAgainAfter) {
  const auto result = update_result(number(0));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::internal);
  EXPECT_NE(result.error().message.find("try again"), std::string::npos) << result.error().message;
}

TEST(ExchangeResult, IsWhatTheFunctionSays) {
  EXPECT_EQ(value_of(exchange_result(number(1))), Exchange::replaced);
  EXPECT_EQ(value_of(exchange_result(number(0))), Exchange::changed);
  EXPECT_EQ(value_of(exchange_result(number(-1))), Exchange::expired);
  EXPECT_EQ(value_of(exchange_result(nil())), Exchange::gone);
}

TEST(DeleteResult, CountsTheReplicasThatAWaitConfirmed) {
  EXPECT_EQ(value_of(delete_result(numbers({1, 1, 2}))).confirmed_replicas, 2U);
  EXPECT_EQ(value_of(delete_result(numbers({0, 1, 0}))).confirmed_replicas, 0U);
}

TEST(DeleteResult, OfADeleteAloneConfirmsNoReplica) {
  EXPECT_EQ(value_of(delete_result(numbers({3}))).confirmed_replicas, 0U);
}

TEST(DeleteResult, OfSeveralDeletesIsThatOfTheWaitBehindThem) {
  EXPECT_EQ(value_of(delete_result(numbers({3, 0, 1}), 3)).confirmed_replicas, 0U);
  EXPECT_EQ(value_of(delete_result(numbers({3, 0, 1, 1, 2}), 3)).confirmed_replicas, 2U);
}

TEST(DeleteResult, IsAProtocolErrorIfAnyOfTheRepliesIsNoCount) {
  for (std::size_t wrong = 0; wrong < 3; ++wrong) {
    auto three = numbers({1, 1, 2});
    three[wrong] = text("1");
    EXPECT_EQ(error_in(delete_result(three)), ErrorCode::protocol);
    three[wrong] = number(-1);
    EXPECT_EQ(error_in(delete_result(three)), ErrorCode::protocol);
  }
}

/// One of the functions that read a reply, and the kinds of reply that it reads.
struct Parser {
  std::string_view name;
  std::function<std::error_code(const Reply&)> code_of;  ///< Of its error; none if it reads the reply.
  std::vector<Kind> kinds;
};

template <class Parse>
std::function<std::error_code(const Reply&)> code_of(Parse parse) {
  return [parse](const Reply& reply) { return error_in(parse(reply)); };
}

TEST(AnyResult, OfAReplyOfAnotherKindIsAProtocolError) {
  const std::vector<Parser> parsers{
      {"get", code_of(get_result), {Kind::nil, Kind::text}},
      {"get_all", code_of(get_all_result), {Kind::map}},
      {"create", code_of(create_result), {Kind::integer}},
      {"managed_create", code_of(managed_create_result), {Kind::list}},
      {"thin_out", code_of(thin_out_result), {Kind::list}},
      {"update", code_of(update_result), {Kind::integer, Kind::text, Kind::nil}},
      {"exchange", code_of(exchange_result), {Kind::integer, Kind::nil}},
      {"delete", code_of([](const Reply& reply) { return delete_result({&reply, 1}); }), {Kind::integer}},
  };
  for (const auto& parser : parsers) {
    for (const auto kind :
         {Kind::nil, Kind::integer, Kind::text, Kind::error, Kind::list, Kind::map, Kind::push, Kind::other}) {
      if (std::ranges::find(parser.kinds, kind) != parser.kinds.end()) continue;
      const Reply reply{.kind = kind, .integer = 1, .text = "1"};
      EXPECT_EQ(parser.code_of(reply), ErrorCode::protocol) << parser.name << ", kind " << static_cast<int>(kind);
    }
  }
}

TEST(GetAllResult, OfAMalformedMapIsAProtocolError) {
  EXPECT_EQ(error_in(get_all_result(reply_of(Kind::map, text("id")))), ErrorCode::protocol);
  EXPECT_EQ(error_in(get_all_result(reply_of(Kind::map, text("id"), number(1)))), ErrorCode::protocol);
  EXPECT_EQ(error_in(get_all_result(reply_of(Kind::map, number(1), text("sealed")))), ErrorCode::protocol);
  EXPECT_EQ(error_in(get_all_result(reply_of(Kind::map, text("a"), text("sealed"), text("b"), nil()))),
            ErrorCode::protocol);
}

TEST(ManagedCreateResult, OfAMalformedListIsAProtocolError) {
  EXPECT_EQ(error_in(managed_create_result(list())), ErrorCode::protocol);
  EXPECT_EQ(error_in(managed_create_result(list(text("something new")))), ErrorCode::protocol);
  EXPECT_EQ(error_in(managed_create_result(list(text("")))), ErrorCode::protocol);
  EXPECT_EQ(error_in(managed_create_result(list(number(1)))), ErrorCode::protocol);
  EXPECT_EQ(error_in(managed_create_result(list(text("stored"), number(1)))), ErrorCode::protocol);
  EXPECT_EQ(error_in(managed_create_result(list(text("conflict")))), ErrorCode::protocol);
  EXPECT_EQ(error_in(managed_create_result(list(text("conflict"), text("sealed"), text("more")))), ErrorCode::protocol);
}

TEST(ThinOutResult, OfAMalformedListIsAProtocolError) {
  EXPECT_EQ(error_in(thin_out_result(list())), ErrorCode::protocol);
  EXPECT_EQ(error_in(thin_out_result(list(text("0"), list()))), ErrorCode::protocol);
  EXPECT_EQ(error_in(thin_out_result(list(text("0"), list(), list(), list()))), ErrorCode::protocol);
  EXPECT_EQ(error_in(thin_out_result(list(number(0), list(), list()))), ErrorCode::protocol);
  EXPECT_EQ(error_in(thin_out_result(list(text("0"), text("id"), list()))), ErrorCode::protocol);
  EXPECT_EQ(error_in(thin_out_result(list(text("0"), list(), text("id")))), ErrorCode::protocol);
  EXPECT_EQ(error_in(thin_out_result(list(text("0"), list(number(1)), list()))), ErrorCode::protocol);
  EXPECT_EQ(error_in(thin_out_result(list(text("0"), list(), list(text("id"))))), ErrorCode::protocol);
  EXPECT_EQ(error_in(thin_out_result(list(text("0"), list(), list(text("id"), text("1000"))))), ErrorCode::protocol);
  EXPECT_EQ(error_in(thin_out_result(list(text("0"), list(), list(number(1), number(1000))))), ErrorCode::protocol);
}

}}  // namespace obol

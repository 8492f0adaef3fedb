// What is done about each error reply and each kind of lost connection.
#include "redis/core/verdict.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <string_view>

#include "values/out_of_memory.hpp"

namespace obol::redis {

// Where gtest finds it by its argument.
// NOLINTNEXTLINE(misc-use-anonymous-namespace)
static void PrintTo(const Verdict& verdict, std::ostream* out) {
  *out << "next " << static_cast<int>(verdict.next) << ", drops " << static_cast<int>(verdict.drops)
       << (verdict.suspects_node ? ", suspects" : "") << (verdict.charges_budget ? ", charges" : "");
}

namespace {

using Next = Verdict::Next;
using Drops = Verdict::Drops;

constexpr Verdict stop{};
constexpr Verdict reconnect{
    .next = Next::after_pause, .drops = Drops::all, .suspects_node = true, .charges_budget = true};
constexpr Verdict wait{.next = Next::after_pause, .suspects_node = true};
constexpr Verdict follow{.next = Next::redirect};
constexpr Verdict load{.next = Next::load_functions};
constexpr Verdict load_scripts{.next = Next::load_scripts};

constexpr CallRules in_cluster{.follows_redirects = true, .loads_functions = true};
constexpr CallRules on_one_server{.follows_redirects = false, .loads_functions = true};
constexpr CallRules without_loading{.follows_redirects = true, .loads_functions = false};

struct Refusal {
  std::string_view text;
  Verdict verdict;
  CallRules rules = in_cluster;
  std::string_view command{};  ///< That was refused.
};
void PrintTo(const Refusal& tested, std::ostream* out) { *out << tested.text; }

class RefusalTest : public ::testing::TestWithParam<Refusal> {};

TEST_P(RefusalTest, HasItsVerdict) {
  const auto& [text, verdict, rules, command] = GetParam();
  EXPECT_EQ(verdict_for(Reply{.kind = Reply::Kind::error, .text = text}, rules, command), verdict);
}

INSTANTIATE_TEST_SUITE_P(
    , RefusalTest,
    ::testing::Values(
        Refusal{"MOVED 3999 127.0.0.1:7002", follow}, Refusal{"MOVED 3999 127.0.0.1:7002", stop, on_one_server},
        Refusal{"MOVED 3999 nowhere", stop}, Refusal{"ASK 3999 127.0.0.1:7002", follow},
        Refusal{"ASK 3999 127.0.0.1:7002", stop, on_one_server}, Refusal{"TRYAGAIN Multiple keys request", wait},
        Refusal{"CLUSTERDOWN The cluster is down", wait}, Refusal{"LOADING Redis is loading", reconnect},
        Refusal{"MASTERDOWN Link with MASTER is down", reconnect},
        Refusal{"BUSY Redis is busy running a script", reconnect},
        Refusal{"READONLY You can't write against a read only replica. script: x, on @user_function:4.", reconnect},
        Refusal{"OOM command not allowed when used memory > 'maxmemory'.", stop},
        Refusal{"MISCONF Redis is configured to save RDB snapshots", stop},
        Refusal{"NOREPLICAS Not enough good replicas to write.", stop}, Refusal{"ERR Function not found", load},
        Refusal{"ERR Function not found", stop, without_loading}, Refusal{"NOPERM User x has no permissions", stop},
        Refusal{"ERR ACL failure in script: User x has no permissions", stop},
        Refusal{"ERR max number of clients reached", reconnect}, Refusal{"NOAUTH Authentication required.", reconnect},
        Refusal{"WRONGPASS invalid username-password pair", stop},
        Refusal{"DENIED Redis is running in protected mode", stop},
        Refusal{"UNKILLABLE Sorry the script already executed write commands", stop},
        Refusal{"ERR user_function:4: Script attempted to access a non local key", stop},
        Refusal{"WRONGTYPE Operation against a key holding the wrong kind of value", stop}, Refusal{"", stop}));

/// What decides whether a server is given the functions as a library or as scripts.
INSTANTIATE_TEST_SUITE_P(
    Functions, RefusalTest,
    ::testing::Values(
        Refusal{"ERR Function not found", load, in_cluster, "FCALL"},
        Refusal{"NOSCRIPT No matching script. Please use EVAL.", load_scripts, in_cluster, "EVALSHA"},
        Refusal{"NOSCRIPT No matching script.", stop, without_loading, "EVALSHA"},
        Refusal{"ERR unknown command 'FCALL', with args beginning with: 'f'", load_scripts, in_cluster, "FCALL"},
        Refusal{"ERR unknown command 'FCALL', with args beginning with: 'f'", load_scripts, on_one_server, "FCALL"},
        Refusal{"ERR unknown command 'FCALL', with args beginning with: 'f'", stop, without_loading, "FCALL"},
        Refusal{"ERR unknown command 'FUNCTION'", load_scripts, in_cluster, "FUNCTION LOAD"},
        Refusal{"ERR unknown subcommand 'LOAD'. Try FUNCTION HELP.", load_scripts, in_cluster, "FUNCTION LOAD"},
        Refusal{"unsupported command 'function'", load_scripts, in_cluster, "FUNCTION LOAD"},
        Refusal{"ERR command not supported", load_scripts, in_cluster, "FCALL"},
        // Neither is a reason to work with scripts: the user may not, the memory is full.
        Refusal{"NOPERM User x has no permissions to run the 'function|load' command", stop, in_cluster,
                "FUNCTION LOAD"},
        Refusal{"NOPERM User x has no permissions to run the 'fcall' command", stop, in_cluster, "FCALL"},
        Refusal{"OOM command not allowed when used memory > 'maxmemory'.", stop, in_cluster, "FUNCTION LOAD"},
        // Nor is another command that is missing.
        Refusal{"ERR unknown command 'HGET'", stop, in_cluster, "HGET"},
        Refusal{"ERR unknown command 'EVALSHA'", stop, in_cluster, "EVALSHA"},
        Refusal{"ERR unknown command 'SCRIPT'", stop, in_cluster, "SCRIPT LOAD"},
        Refusal{"ERR Unknown Redis command called from script script: obol_update, on @user_function:4.", stop,
                in_cluster, "FCALL"}));

struct Loss {
  Error error;
  Verdict verdict;
};
void PrintTo(const Loss& tested, std::ostream* out) { *out << tested.error.message; }

class LossTest : public ::testing::TestWithParam<Loss> {};

TEST_P(LossTest, HasItsVerdict) { EXPECT_EQ(verdict_for(GetParam().error), GetParam().verdict); }

INSTANTIATE_TEST_SUITE_P(
    , LossTest,
    ::testing::Values(Loss{{ErrorCode::unavailable, "the server closed the connection"}, reconnect},
                      Loss{{ErrorCode::unavailable, "this server is a replica"}, reconnect},
                      Loss{{ErrorCode::unavailable, "replies did not match their commands"}, reconnect},
                      Loss{{ErrorCode::timeout, "the server did not answer in time"}, reconnect},
                      Loss{{ErrorCode::too_large, "a reply over the limit"}, {.drops = Drops::one}},
                      Loss{{ErrorCode::protocol, "garbage in place of a reply"}, {.drops = Drops::one}},
                      Loss{out_of_memory(), {.drops = Drops::one}},
                      Loss{{ErrorCode::permission, "ECHO is not permitted"}, {.drops = Drops::all}},
                      Loss{{ErrorCode::tls, "a broken record"}, {.drops = Drops::all}}));

TEST(UnsentTest, GoesOnAtOnceOnlyIfItsNodeHasLeft) {
  const Error closed{ErrorCode::closed, "closed"};
  EXPECT_EQ(verdict_for_unsent(closed, true), Verdict{.next = Next::immediately});
  EXPECT_EQ(verdict_for_unsent(closed, false), stop);
  for (const auto code : {ErrorCode::unavailable, ErrorCode::pool_timeout, ErrorCode::auth}) {
    EXPECT_EQ(verdict_for_unsent({code, "no connection"}, true), stop);
  }
}

TEST(UnsentTest, IsNeverATimeout) {
  EXPECT_EQ(not_sent({ErrorCode::timeout, "connecting timed out"}).code, ErrorCode::unavailable);
  EXPECT_EQ(not_sent({ErrorCode::auth, "WRONGPASS"}).code, ErrorCode::auth);
}

TEST(BudgetTest, IsChargedByALostConnectionAndNotByOneThatIsGood) {
  RetryBudget budget;
  while (budget.spend()) {
  }
  EXPECT_TRUE(goes_on(wait, budget));
  EXPECT_FALSE(goes_on(reconnect, budget));
  EXPECT_FALSE(lost({ErrorCode::unavailable, "reset"}, budget).may_repeat);
  budget.earn(20);
  EXPECT_TRUE(lost({ErrorCode::unavailable, "reset"}, budget).may_repeat);
  EXPECT_FALSE(goes_on(stop, budget));
  EXPECT_TRUE(budget.spend());
  EXPECT_FALSE(budget.spend());
}

}  // namespace
}  // namespace obol::redis

// The reply of CLUSTER SLOTS: what is read out of it, and what is not believed.
#include "redis/protocol/cluster_slots.hpp"

#include <gtest/gtest.h>

#include <string>

#include "support/replies.hpp"

namespace obol::redis { namespace {

using testing::parsed;

const ServerAddress asked{.host = "asked.example", .port = 7000};

std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

/// One range whose primary is `node`.
std::string range(std::string_view node, std::string_view bounds = ":0\r\n:5460\r\n") {
  return "*3\r\n" + std::string(bounds) + std::string(node);
}

Result<std::vector<SlotRange>> read(const std::string& ranges, int count = 1) {
  return slots_answer(parsed("*" + std::to_string(count) + "\r\n" + ranges), asked);
}

std::string node(std::string_view host, std::string_view port = ":7001\r\n") {
  return "*3\r\n" + std::string(host) + std::string(port) + bulk("id");
}

TEST(SlotMap, NamesThePrimaryOfEachRange) {
  const auto ranges =
      read(range(node(bulk("10.0.0.1"))) + range(node(bulk("::1"), ":7002\r\n"), ":5461\r\n:16383\r\n"), 2);
  ASSERT_TRUE(ranges.has_value());
  EXPECT_EQ(*ranges,
            (std::vector<SlotRange>{{.first = 0, .last = 5460, .primary = {.host = "10.0.0.1", .port = 7001}},
                                    {.first = 5461, .last = 16383, .primary = {.host = "::1", .port = 7002}}}));
}

TEST(SlotMap, TakesANodeWithoutAHostForTheOneThatWasAsked) {
  for (const auto& host : {bulk(""), std::string("_\r\n"), std::string("$-1\r\n")}) {
    const auto ranges = read(range(node(host)));
    ASSERT_TRUE(ranges.has_value());
    EXPECT_EQ(ranges->front().primary, (ServerAddress{.host = "asked.example", .port = 7001}));
  }
}

TEST(SlotMap, TakesTheAddressOfANodeThatPrefersANameAndHasNone) {
  const auto node = "*4\r\n" + bulk("?") + ":7001\r\n" + bulk("id") + "%1\r\n" + bulk("ip") + bulk("10.0.0.9");
  EXPECT_EQ(read(range(node))->front().primary.host, "10.0.0.9");
}

struct Case {
  const char* name;
  std::string reply;
  ErrorCode code;
};

class RefusedSlotMap : public ::testing::TestWithParam<Case> {};

TEST_P(RefusedSlotMap, IsAnError) {
  const auto ranges = slots_answer(parsed(GetParam().reply), asked);
  ASSERT_FALSE(ranges.has_value());
  EXPECT_EQ(ranges.error().code, GetParam().code) << ranges.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    Table, RefusedSlotMap,
    ::testing::Values(Case{"Empty", "*0\r\n", ErrorCode::unavailable},
                      Case{"NoCluster", "-ERR This instance has cluster support disabled\r\n",
                           ErrorCode::invalid_argument},
                      Case{"NoPermission", "-NOPERM User x\r\n", ErrorCode::permission},
                      Case{"Text", "+OK\r\n", ErrorCode::protocol},
                      Case{"SlotTooLarge", "*1\r\n" + range(node(bulk("h")), ":0\r\n:16384\r\n"), ErrorCode::protocol},
                      Case{"SlotNegative", "*1\r\n" + range(node(bulk("h")), ":-1\r\n:1\r\n"), ErrorCode::protocol},
                      Case{"Reversed", "*1\r\n" + range(node(bulk("h")), ":2\r\n:1\r\n"), ErrorCode::protocol},
                      Case{"NoPrimary", "*1\r\n*2\r\n:0\r\n:1\r\n", ErrorCode::protocol},
                      Case{"PortTooLarge", "*1\r\n" + range(node(bulk("h"), ":65536\r\n")), ErrorCode::protocol},
                      Case{"Port0", "*1\r\n" + range(node(bulk("h"), ":0\r\n")), ErrorCode::protocol},
                      Case{"NodeIsText", "*1\r\n" + range(bulk("h")), ErrorCode::protocol}),
    [](const auto& parameter) { return parameter.param.name; });

}}  // namespace obol::redis

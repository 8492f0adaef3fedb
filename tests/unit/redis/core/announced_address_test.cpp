// Where announced addresses can be reached, and what is said of one that cannot.
#include "redis/core/announced_address.hpp"

#include <gtest/gtest.h>

namespace obol::redis { namespace {

const std::vector<AddressMapping> map{
    {.announced = {.host = "10.0.0.1", .port = 6379}, .reachable = {.host = "localhost", .port = 7001}},
    {.announced = {.host = "10.0.0.2", .port = 0}, .reachable = {.host = "relay", .port = 0}},
    {.announced = {.host = "*", .port = 7003}, .reachable = {.host = "*", .port = 17003}},
    {.announced = {.host = "10.0.0.1", .port = 6379}, .reachable = {.host = "never", .port = 1}},
};

TEST(ReachableAddress, IsThatOfTheFirstEntryThatFits) {
  EXPECT_EQ(reachable(map, {.host = "10.0.0.1", .port = 6379}), (ServerAddress{.host = "localhost", .port = 7001}));
  EXPECT_EQ(reachable(map, {.host = "10.0.0.2", .port = 6380}), (ServerAddress{.host = "relay", .port = 6380}));
  EXPECT_EQ(reachable(map, {.host = "any", .port = 7003}), (ServerAddress{.host = "any", .port = 17003}));
}

TEST(ReachableAddress, IsTheAnnouncedOneIfNoEntryFits) {
  EXPECT_EQ(reachable(map, {.host = "10.0.0.1", .port = 6380}), (ServerAddress{.host = "10.0.0.1", .port = 6380}));
  EXPECT_EQ(reachable({}, {.host = "a", .port = 1}), (ServerAddress{.host = "a", .port = 1}));
}

TEST(ReachableAddress, ReplacesAUnixSocket) {
  const auto options =
      options_of_announced({.unix_socket = "/run/s", .address_map = map}, {.host = "10.0.0.1", .port = 6379});
  EXPECT_EQ(options.host, "localhost");
  EXPECT_EQ(options.port, 7001);
  EXPECT_TRUE(options.unix_socket.empty());
}

TEST(ErrorWithAnnouncement, NamesWhoAnnouncedAndWhatCanBeSetThere) {
  const ServerAddress address{.host = "::7", .port = 1};
  const Error error{ErrorCode::unavailable, "refused"};
  for (const auto& [by, who, setting] :
       {std::tuple(Announcer::cluster, "the cluster announced [::7]:1", "cluster-announce-ip"),
        {Announcer::sentinel, "the sentinels announced [::7]:1", "replica-announce-ip"},
        {Announcer::primary, "the primary announced [::7]:1", "replica-announce-ip"}}) {
    const auto told = error_with_announcement(error, {.address = address, .by = by}, address);
    EXPECT_EQ(told.code, ErrorCode::unavailable);
    EXPECT_NE(told.message.find(who), std::string::npos) << told.message;
    EXPECT_NE(told.message.find(setting), std::string::npos) << told.message;
  }
}

}}  // namespace obol::redis

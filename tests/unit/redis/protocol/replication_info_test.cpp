// Which replicas a primary's INFO says may be read from.
#include "redis/protocol/replication_info.hpp"

#include <gtest/gtest.h>

namespace obol::redis { namespace {

using std::chrono::seconds;
using Addresses = std::vector<ServerAddress>;

constexpr std::string_view told =
    "# Replication\r\nrole:master\r\nconnected_slaves:4\r\n"
    "slave0:ip=10.0.0.2,port=6380,state=online,offset=42,lag=0\r\n"
    "slave1:ip=10.0.0.3,port=6381,state=wait_bgsave,offset=0,lag=0\r\n"
    "slave2:ip=::1,port=6382,state=online,offset=40,lag=5\r\n"
    "slave3:ip=10.0.0.5,port=6383,state=online,offset=7,lag=6,type=main-conn\r\n"
    "master_failover_state:no-failover\r\nslave_read_repl_offset:1\r\n";

TEST(ReplicasInInfo, AreThoseOnlineAndHeardOfLately) {
  EXPECT_EQ(replicas_in(told, seconds(5)),
            (Addresses{{.host = "10.0.0.2", .port = 6380}, {.host = "::1", .port = 6382}}));
  EXPECT_EQ(replicas_in(told, seconds(4)), (Addresses{{.host = "10.0.0.2", .port = 6380}}));
}

TEST(ReplicasInInfo, AreNoneWhereItSaysNothingThatMakesSense) {
  for (const std::string_view line :
       {"", "slave0", "slave0:", "slave:ip=h,port=1,state=online,lag=0", "slave0:ip=,port=1,state=online,lag=0",
        "slave0:ip=h,port=0,state=online,lag=0", "slave0:ip=h,port=65536,state=online,lag=0",
        "slave0:ip=h,port=1,state=online,lag=-1", "slave0:ip=h,port=1,state=online", "slave0:ip=h,port=1,lag=0",
        "slavex:ip=h,port=1,state=online,lag=0", "slave0:ip=h,port=1,state=online,lag=99999999999999999999"}) {
    EXPECT_TRUE(replicas_in(line, seconds(5)).empty()) << line;
  }
}

}}  // namespace obol::redis

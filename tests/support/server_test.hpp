// The fixture for tests that run on Redis and on Valkey: each test has a server of its own.
#pragma once

#include <gtest/gtest.h>

#include "support/sessions.hpp"
#include "support/test_server.hpp"

namespace obol::testing {

class ServerTest : public ::testing::TestWithParam<ServerKind> {
 protected:
  TestServer server{GetParam()};
};

}  // namespace obol::testing

/// Runs every TEST_P of a ServerTest on both kinds of server.
#define OBOL_ON_BOTH_SERVERS(Suite)                                                                                \
  INSTANTIATE_TEST_SUITE_P(On, Suite,                                                                              \
                           ::testing::Values(obol::testing::ServerKind::redis, obol::testing::ServerKind::valkey), \
                           [](const auto& parameter) { return obol::testing::name_of(parameter.param); })

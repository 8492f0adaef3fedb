// What counts as a bearer token (RFC 6750, section 2.1), and the challenges of section 3.
#include "bearer.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace example::api_server { namespace {

using Found = Bearer::Found;

struct Case {
  std::vector<std::string> headers;
  Found found;
  std::string token{};
};

TEST(ApiServerBearer, IsReadFromOneHeader) {
  for (const auto& [headers, found, token] : {
           Case{{}, Found::nothing},
           Case{{"Bearer abc"}, Found::token, "abc"},
           Case{{"bEARER  a-._~+/9=="}, Found::token, "a-._~+/9=="},
           Case{{"Basic dTpw"}, Found::nothing},
           Case{{""}, Found::nothing},
           Case{{"Bearerabc"}, Found::nothing},
           Case{{"Bearer"}, Found::malformed},
           Case{{"Bearer "}, Found::malformed},
           Case{{"Bearer ="}, Found::malformed},
           Case{{"Bearer a=b"}, Found::malformed},
           Case{{"Bearer a b"}, Found::malformed},
           Case{{"Bearer a,b"}, Found::malformed},
           Case{{"Bearer \xc3\xa9"}, Found::malformed},
           Case{{"Bearer abc", "Bearer abc"}, Found::malformed},
       }) {
    const auto read = read_bearer(headers);
    EXPECT_EQ(read.found, found) << (headers.empty() ? "" : headers[0]);
    EXPECT_EQ(read.token, token) << (headers.empty() ? "" : headers[0]);
  }
}

TEST(ApiServerBearer, IsAskedForWithAnErrorOnlyIfThereWasOne) {
  EXPECT_EQ(challenge(), R"(Bearer realm="api")");
  EXPECT_EQ(challenge("invalid_token", "it has expired"),
            R"(Bearer realm="api", error="invalid_token", error_description="it has expired")");
}

}}  // namespace example::api_server

// The end of a process while its store lives does no harm, however it comes: exit_host.cpp does it.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <tuple>

#include "support/certificates.hpp"
#include "support/reserved_port.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

enum class ExitWire { plain, tls };

class ExitTest : public ::testing::TestWithParam<std::tuple<ServerKind, ExitWire, const char*>> {
 protected:
  ExitTest() {
    auto arguments = authority_.server_arguments(authority_.issue("server", "IP:127.0.0.1"));
    arguments.insert(arguments.end(),
                     {"--tls-port", std::to_string(port_.number()), "--bind", "127.0.0.1", "--tls-auth-clients", "no"});
    server_.emplace(std::get<ServerKind>(GetParam()), std::move(arguments));
  }

  std::string uri() const {
    if (std::get<ExitWire>(GetParam()) == ExitWire::plain) return server_->connection().to_uri();
    return "rediss://127.0.0.1:" + std::to_string(port_.number()) + "?ca_file=" + authority_.ca_file();
  }

  int status_with(const char* near_cache) const {
    return status_of(std::get<const char*>(GetParam()), uri(), near_cache);
  }

  static int status_of(const std::string& way, const std::string& uri, const std::string& near_cache) {
    const std::string program = OBOL_EXIT_HOST;
    const std::array<std::string, 4> words{program, way, uri, near_cache};
    std::array<char*, 5> arguments{};
    for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = const_cast<char*>(words[i].c_str());
    pid_t process = -1;
    EXPECT_EQ(::posix_spawn(&process, program.c_str(), nullptr, nullptr, arguments.data(), environ), 0);
    int status = -1;
    EXPECT_EQ(::waitpid(process, &status, 0), process);
    return status;
  }

  Authority authority_;
  ReservedPort port_;
  std::optional<TestServer> server_;
};

TEST_P(ExitTest, EndsWell) { EXPECT_EQ(status_with("no-near-cache"), 0); }
TEST_P(ExitTest, EndsWellWithANearCache) { EXPECT_EQ(status_with("near-cache"), 0); }

INSTANTIATE_TEST_SUITE_P(On, ExitTest,
                         ::testing::Combine(::testing::Values(ServerKind::redis, ServerKind::valkey),
                                            ::testing::Values(ExitWire::plain, ExitWire::tls),
                                            ::testing::Values("static", "leaked", "second-thread", "dials", "in-a-call",
                                                              "child", "async", "async-static", "async-in-a-handler",
                                                              "watch", "watch-static", "watch-in-a-handler")),
                         [](const auto& parameter) {
                           std::string name = name_of(std::get<ServerKind>(parameter.param)) +
                                              (std::get<ExitWire>(parameter.param) == ExitWire::tls ? "Tls" : "") +
                                              "_" + std::get<const char*>(parameter.param);
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}}  // namespace obol::testing

// The examples on other event loops, run as programs.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "support/server_test.hpp"

namespace obol::testing { namespace {

/// Runs a program and gives the lines it printed, sorted, and how it ended.
std::vector<std::string> run(const std::string& command) {
  std::FILE* const output = popen((command + " 2>&1").c_str(), "r");
  if (output == nullptr) return {"it does not run"};
  std::vector<std::string> lines;
  std::array<char, 256> line{};
  while (std::fgets(line.data(), static_cast<int>(line.size()), output) != nullptr) lines.emplace_back(line.data());
  std::ranges::sort(lines);
  lines.push_back("end: " + std::to_string(pclose(output)));
  return lines;
}

const std::vector<std::string> three_visits{"ann is logged in\n",
                                            "ann logged out\n",
                                            "ben is logged in\n",
                                            "ben logged out\n",
                                            "cleo is logged in\n",
                                            "cleo logged out\n",
                                            "end: 0"};

TEST(ExamplesWithoutServer, EachKeepsSessionsInMemory) {
  for (const std::string program : {OBOL_LIBUV, OBOL_COROUTINE_LOOP}) EXPECT_EQ(run(program), three_visits) << program;
}

class Examples : public ServerTest {};

TEST_P(Examples, EachLivesThreeVisitsOnItsLoop) {
  const auto address = " '" + server.connection().to_uri() + "'";
  for (const std::string program : {OBOL_LIBUV, OBOL_COROUTINE_LOOP}) {
    EXPECT_EQ(run(program + address), three_visits) << program;
  }
}

OBOL_ON_BOTH_SERVERS(Examples);

}}  // namespace obol::testing

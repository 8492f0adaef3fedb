// Random bytes drawn in larger pieces: never the same twice, not even in a forked child.
#include "base/randomness.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace obol { namespace {

using Bytes = std::array<unsigned char, 16>;

Bytes draw() {
  Bytes bytes{};
  EXPECT_TRUE(random_bytes(bytes.data(), bytes.size()));
  return bytes;
}

TEST(Randomness, NeverRepeatsInAnyThread) {
  std::mutex mutex;
  std::set<Bytes> seen;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) {
          const auto bytes = draw();
          const std::scoped_lock lock(mutex);
          seen.insert(bytes);
        }
      });
    }
  }
  EXPECT_EQ(seen.size(), 4000U);
}

TEST(Randomness, OfAForkedChildIsNotTheParents) {
  draw();
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const auto child = ::fork();
  if (child == 0) {
    Bytes bytes{};
    const bool drawn = random_bytes(bytes.data(), bytes.size());
    ::_exit(drawn && ::write(pipe[1], bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) ? 0 : 1);
  }
  const auto ours = draw();
  Bytes theirs{};
  EXPECT_EQ(::read(pipe[0], theirs.data(), theirs.size()), static_cast<ssize_t>(theirs.size()));
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_NE(ours, theirs);
  for (const int end : pipe) ::close(end);
}

TEST(Randomness, FillsMoreThanIsDrawnAtOnce) {
  std::vector<unsigned char> bytes(4096, 0);
  ASSERT_TRUE(random_bytes(bytes.data(), bytes.size()));
  EXPECT_NE(std::ranges::count(bytes, 0), static_cast<std::ptrdiff_t>(bytes.size()));
}

}}  // namespace obol

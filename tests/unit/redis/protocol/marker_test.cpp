// The marker behind a batch: which reply in its place shows that each reply belongs to its command.
#include "redis/protocol/marker.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <latch>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace obol::redis { namespace {

/// What the server repeats: the second word of the marker's command.
std::string text_of(const Marker& marker) {
  const std::string bytes(marker.command().bytes());
  constexpr std::string_view echo = "*2\r\n$4\r\nECHO\r\n";
  EXPECT_TRUE(bytes.starts_with(echo)) << bytes;
  const auto start = bytes.find("\r\n", echo.size()) + 2;
  return bytes.substr(start, bytes.size() - start - 2);
}

TEST(Marker, IsEchoedByTheServerThatTookTheWholeBatch) {
  const auto marker = Marker::next();
  const auto text = text_of(marker);
  EXPECT_EQ(marker.command().bytes(), (Command{"ECHO", text}.bytes()));
  EXPECT_TRUE(marker.check({.kind = Reply::Kind::text, .text = text}).has_value());
}

TEST(Marker, IsNoOtherReply) {
  const auto marker = Marker::next();
  const auto own = text_of(marker);
  const auto anothers = text_of(Marker::next());
  using Kind = Reply::Kind;
  for (const auto& [kind, text] :
       {std::pair{Kind::text, anothers}, std::pair{Kind::text, own + "0"}, std::pair{Kind::text, own.substr(1)},
        std::pair{Kind::text, std::string()}, std::pair{Kind::nil, std::string()}, std::pair{Kind::integer, own},
        std::pair{Kind::list, own}, std::pair{Kind::map, own}, std::pair{Kind::push, own},
        std::pair{Kind::other, own}}) {
    const auto checked = marker.check({.kind = kind, .text = text});
    ASSERT_FALSE(checked.has_value()) << text;
    EXPECT_EQ(checked.error().code, ErrorCode::unavailable);
    EXPECT_NE(checked.error().message.find("replies did not match their commands"), std::string::npos);
  }
}

TEST(Marker, ThatTheServerRefusesIsThatErrorAndNamesTheCommand) {
  const auto marker = Marker::next();
  for (const auto& [text, code] : {std::pair{"NOPERM this user has no permissions", ErrorCode::permission},
                                   std::pair{"ERR unknown command 'ECHO'", ErrorCode::unsupported_server}}) {
    const auto checked = marker.check({.kind = Reply::Kind::error, .text = text});
    ASSERT_FALSE(checked.has_value()) << text;
    EXPECT_EQ(checked.error().code, code) << checked.error().message;
    EXPECT_NE(checked.error().message.find(" to ECHO: "), std::string::npos) << checked.error().message;
  }
}

TEST(Marker, IsNeverGivenToTwoBatchesOfAProcess) {
  constexpr std::size_t threads = 4;
  constexpr std::size_t markers = 10'000;
  std::vector<std::vector<Marker>> taken(threads);
  {
    std::latch all_run(threads);
    std::vector<std::jthread> running;
    running.reserve(threads);
    for (auto& own : taken) {
      own.reserve(markers);
      running.emplace_back([&own, &all_run] {
        all_run.arrive_and_wait();
        while (own.size() < markers) own.push_back(Marker::next());
      });
    }
    running.clear();
  }
  std::vector<std::string> all;
  for (const auto& own : taken) {
    for (const auto& marker : own) all.emplace_back(marker.command().bytes());
  }
  std::ranges::sort(all);
  EXPECT_EQ(all.size(), threads * markers);
  EXPECT_EQ(std::ranges::adjacent_find(all), all.end());
}

}}  // namespace obol::redis

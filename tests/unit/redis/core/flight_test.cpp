// Commands that share a send, and whose replies they get.
#include "redis/core/flight.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "values/out_of_memory.hpp"

namespace obol::redis { namespace {

class FlightTest : public ::testing::Test {
 protected:
  /// As many commands as given, numbered.
  static Flight flight_of(std::size_t calls, std::size_t most_held = 1000) {
    Flight flight(most_held);
    for (std::size_t i = 0; i < calls; ++i) flight.add(Command{"ECHO", name(i)}.bytes());
    flight.seal();
    return flight;
  }

  static std::string name(std::size_t call) { return fmt::format("call {}", call); }

  /// What the server says to each command of the flight, the marker included.
  static std::vector<std::string> replies_to(const Flight& flight, std::size_t calls) {
    std::vector<std::string> replies;
    for (std::size_t i = 0; i < calls; ++i) replies.push_back(fmt::format("${}\r\n{}\r\n", name(i).size(), name(i)));
    if (calls > 1) replies.emplace_back(flight.bytes().substr(flight.bytes().rfind('$')));
    return replies;
  }

  /// True once all are there.
  static Result<bool> read(Flight& flight, ReplyReader& reader) {
    for (;;) {
      auto reply = reader.next();
      if (!reply) return std::unexpected(reply.error());
      if (!*reply) return false;
      auto all = flight.take(std::move(**reply));
      if (!all || *all) return all;
    }
  }

  static void expect_own_replies(Flight& flight) {
    for (std::size_t i = 0; i < flight.calls(); ++i) EXPECT_EQ(flight.replies()[i].text, name(i));
  }
};

TEST_F(FlightTest, OfOneCommandIsThatAlone) {
  Flight flight;
  flight.add("a");
  flight.seal();
  EXPECT_EQ(flight.bytes(), "a");
}

TEST_F(FlightTest, OfSeveralCommandsEndsWithAMarkerOfItsOwn) {
  const auto first = flight_of(2);
  const auto second = flight_of(2);
  EXPECT_TRUE(first.bytes().substr(first.bytes().rfind('*')).starts_with("*2\r\n$4\r\nECHO\r\n"));
  EXPECT_NE(first.bytes(), second.bytes());
  EXPECT_EQ(first.calls(), 2U);
}

TEST_F(FlightTest, OfOneCommandHasAMarkerIfThatIsWanted) {
  Flight flight;
  flight.add("a");
  flight.seal(Flight::Marked::always);
  EXPECT_TRUE(flight.bytes().starts_with("a*2\r\n$4\r\nECHO\r\n")) << flight.bytes();
  EXPECT_FALSE(flight.take({.kind = Reply::Kind::nil}).value());
  const auto unmarked = flight.take({.kind = Reply::Kind::nil});
  ASSERT_FALSE(unmarked.has_value());
  EXPECT_EQ(unmarked.error().code, ErrorCode::unavailable);
}

TEST_F(FlightTest, GivesEachCommandItsReplyWhereverTheBytesAreSplit) {
  constexpr std::size_t calls = 3;
  for (std::size_t split = 0;; ++split) {
    auto flight = flight_of(calls);
    std::string bytes;
    for (const auto& reply : replies_to(flight, calls)) bytes += reply;
    if (split >= bytes.size()) break;
    ReplyReader reader(10'000);
    reader.feed(std::string_view(bytes).substr(0, split));
    EXPECT_FALSE(read(flight, reader).value()) << split;
    reader.feed(std::string_view(bytes).substr(split));
    EXPECT_TRUE(read(flight, reader).value()) << split;
    expect_own_replies(flight);
  }
}

// Whatever else is sent afterwards: the replies of a later flight, with a marker of its own.
TEST_F(FlightTest, IsNotBelievedIfAReplyIsLostOrDoubled) {
  constexpr std::size_t calls = 4;
  for (std::size_t at = 0; at <= calls; ++at) {
    for (const bool is_lost : {true, false}) {
      auto flight = flight_of(calls);
      auto replies = replies_to(flight, calls);
      const auto place = replies.begin() + static_cast<std::ptrdiff_t>(at);
      if (is_lost) {
        replies.erase(place);
      } else {
        replies.insert(place, std::string(*place));
      }
      const auto later = flight_of(calls);
      for (const auto& reply : replies_to(later, calls)) replies.push_back(reply);
      ReplyReader reader(10'000);
      std::optional<Result<bool>> outcome;
      for (const auto& reply : replies) {
        for (const char byte : reply) reader.feed({&byte, 1});
        outcome = read(flight, reader);
        if (!*outcome || **outcome) break;
      }
      // A marker that comes twice follows replies that are all in their place.
      if (!is_lost && at == calls) {
        EXPECT_TRUE(outcome->value());
        expect_own_replies(flight);
        continue;
      }
      ASSERT_FALSE(outcome->has_value()) << at;
      EXPECT_EQ(outcome->error().code, ErrorCode::unavailable);
    }
  }
}

TEST_F(FlightTest, RefusesAReplyThatBelongsToNoCommand) {
  auto flight = flight_of(1);
  EXPECT_TRUE(flight.take({.kind = Reply::Kind::integer, .integer = 1}).value());
  EXPECT_EQ(flight.take({.kind = Reply::Kind::integer, .integer = 2}).error().code, ErrorCode::unavailable);
  EXPECT_EQ(flight.replies().size(), 1U);
}

TEST_F(FlightTest, SaysIfTheServerRefusesTheMarker) {
  auto flight = flight_of(2);
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(flight.take({.kind = Reply::Kind::nil}).value());
  const auto refused = flight.take({.kind = Reply::Kind::error, .text = "NOPERM no permissions"});
  EXPECT_EQ(refused.error().code, ErrorCode::permission);
}

TEST_F(FlightTest, CountsWhatItsRepliesHold) {
  auto flight = flight_of(2);
  ASSERT_FALSE(flight.take({.kind = Reply::Kind::text, .text = "12345"}).value());
  EXPECT_EQ(flight.answered(), 1U);
  EXPECT_EQ(flight.reply_bytes(), 5U);
}

TEST_F(FlightTest, EndsIfTheRepliesOfSeveralCallsAreTooLargeTogether) {
  auto flight = flight_of(2, 5);
  EXPECT_FALSE(flight.take({.kind = Reply::Kind::text, .text = "123"}).value());
  EXPECT_TRUE(is_out_of_memory(flight.take({.kind = Reply::Kind::text, .text = "456"}).error()));
  EXPECT_EQ(flight.answered(), 1U);
  auto alone = flight_of(1, 5);
  EXPECT_TRUE(alone.take({.kind = Reply::Kind::text, .text = "123456"}).value());
}

TEST_F(FlightTest, KeepsNoReplyThatNobodyTookAndKnowsStillWhatTheyHeld) {
  auto flight = flight_of(1);
  ASSERT_TRUE(flight.take({.kind = Reply::Kind::text, .text = "12345"}).value());
  flight.give_memory_back();
  EXPECT_TRUE(flight.replies().empty());
  EXPECT_TRUE(flight.bytes().empty());
  EXPECT_EQ(flight.reply_bytes(), 5U);
}

TEST_F(FlightTest, GivesCommandsUpThatWereAddedLast) {
  Flight flight;
  flight.add("first");
  const auto calls = flight.calls();
  const auto bytes = flight.bytes().size();
  flight.add("second");
  flight.add("third");
  flight.take_back(calls, bytes);
  EXPECT_EQ(flight.bytes(), "first");
  EXPECT_EQ(flight.calls(), 1U);
}

TEST_F(FlightTest, HoldsAnySizeForOneCallerUntilItBeginsAnew) {
  Flight flight(10);
  const auto fill = [&flight] {
    flight.add("a");
    flight.add("b");
    return flight.take({.kind = Reply::Kind::text, .text = "much too large"});
  };
  flight.hold_any_size();
  EXPECT_TRUE(fill().has_value());
  flight.clear();
  EXPECT_FALSE(fill().has_value());
}

TEST_F(FlightTest, BeginsAnewAfterwards) {
  auto flight = flight_of(2);
  ASSERT_FALSE(flight.take({.kind = Reply::Kind::text, .text = "12345"}).value());
  flight.clear();
  flight.add("a");
  flight.seal();
  EXPECT_EQ(flight.bytes(), "a");
  EXPECT_EQ(flight.reply_bytes(), 0U);
  EXPECT_TRUE(flight.take({.kind = Reply::Kind::nil}).value());
}

}}  // namespace obol::redis

// UTF-8: every sequence of up to three bytes, and those of four at their bounds.
#include "base/utf8.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <set>
#include <string>

namespace obol { namespace {

std::string encoded(std::uint32_t point) {
  const auto byte = [](std::uint32_t value) { return static_cast<char>(value); };
  const auto rest = [&](int shift) { return byte(0x80 | (point >> shift & 0x3F)); };
  if (point < 0x80) return {byte(point)};
  if (point < 0x800) return {byte(0xC0 | point >> 6), rest(0)};
  if (point < 0x10000) return {byte(0xE0 | point >> 12), rest(6), rest(0)};
  return {byte(0xF0 | point >> 18), rest(12), rest(6), rest(0)};
}

bool is_surrogate(std::uint32_t point) { return point >= 0xD800 && point < 0xE000; }

TEST(Utf8, IsTheEncodingOfEveryCodePointAndOfNoSurrogate) {
  EXPECT_TRUE(is_utf8(""));
  for (std::uint32_t point = 0; point < 0x110000; point += point < 0x11000 || point > 0x10F000 ? 1 : 0xFF) {
    ASSERT_EQ(is_utf8(encoded(point)), !is_surrogate(point)) << point;
  }
  for (std::uint32_t point = 0x110000; point < 0x200000; point += 0x1000) ASSERT_FALSE(is_utf8(encoded(point)));
}

TEST(Utf8, IsNothingElseOfUpToThreeBytes) {
  std::set<std::string> texts;
  for (std::uint32_t point = 0x80; point < 0x10000; ++point) {
    if (!is_surrogate(point)) texts.insert(encoded(point));
  }
  const auto byte = [](int value) { return static_cast<char>(value); };
  for (int first = 0x80; first < 0x100; ++first) {
    ASSERT_FALSE(is_utf8(std::string{byte(first)}));
    for (int second = 0; second < 0x100; ++second) {
      const std::string two{byte(first), byte(second)};
      ASSERT_EQ(is_utf8(two), texts.contains(two));
      for (const int third : {0x00, 0x7F, 0x80, 0xA0, 0xBF, 0xC0, 0xFF}) {
        const std::string three{byte(first), byte(second), byte(third)};
        const bool is_two_and_one = third < 0x80 && texts.contains(two);
        ASSERT_EQ(is_utf8(three), is_two_and_one || texts.contains(three));
      }
    }
  }
}

TEST(Utf8, IsNoSequenceThatIsCutOrChangedInItsRest) {
  const std::string whole = encoded(0x1F980);
  for (std::size_t length = 1; length < whole.size(); ++length) {
    EXPECT_FALSE(is_utf8(whole.substr(0, length)));
    EXPECT_FALSE(is_utf8("a" + whole.substr(length)));
    for (const char other : {'\0', 'a', '\xC0', '\xFF'}) {
      auto changed = whole;
      changed[length] = other;
      EXPECT_FALSE(is_utf8(changed));
    }
  }
  EXPECT_TRUE(is_utf8("a" + whole + "b" + whole));
}

}}  // namespace obol

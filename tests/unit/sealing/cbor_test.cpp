// CBOR against RFC 8949, appendix A: what Obol writes is read and written the same, everything else is refused.
// Figures: appendix A as published by the cbor/test-vectors project.
#include "sealing/cbor.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <string>
#include <utility>

#include "support/hex.hpp"

namespace obol::sealing::cbor { namespace {

using testing::from_hex;
using testing::to_hex;

template <class Write>
std::string written(Write write) {
  std::string out;
  Writer writer(out);
  write(writer);
  return to_hex(out);
}

TEST(Cbor, UnsignedIntegersAreThoseOfAppendixA) {
  const std::array<std::pair<const char*, std::uint64_t>, 11> vectors{{{"00", 0},
                                                                       {"01", 1},
                                                                       {"0a", 10},
                                                                       {"17", 23},
                                                                       {"1818", 24},
                                                                       {"1819", 25},
                                                                       {"1864", 100},
                                                                       {"1903e8", 1000},
                                                                       {"1a000f4240", 1000000},
                                                                       {"1b000000e8d4a51000", 1000000000000},
                                                                       {"1bffffffffffffffff", 18446744073709551615U}}};
  for (const auto& [hex, value] : vectors) {
    EXPECT_EQ(written([v = value](auto& writer) { writer.unsigned_integer(v); }), hex);
    EXPECT_EQ(Reader(from_hex(hex)).unsigned_integer(), value);
  }
}

TEST(Cbor, NegativeIntegersAreThoseOfAppendixA) {
  const std::array<std::pair<const char*, std::int64_t>, 5> vectors{
      {{"20", -1},
       {"29", -10},
       {"3863", -100},
       {"3903e7", -1000},
       {"3b7fffffffffffffff", std::numeric_limits<std::int64_t>::min()}}};
  for (const auto& [hex, value] : vectors) {
    EXPECT_EQ(written([v = value](auto& writer) { writer.integer(v); }), hex);
    EXPECT_EQ(Reader(from_hex(hex)).integer(), value);
  }
}

TEST(Cbor, IntegersBeyond64SignedBitsAreRefused) {
  EXPECT_EQ(Reader(from_hex("3bffffffffffffffff")).integer(), std::nullopt);
  EXPECT_EQ(Reader(from_hex("1bffffffffffffffff")).integer(), std::nullopt);
}

TEST(Cbor, StringsAreThoseOfAppendixA) {
  EXPECT_EQ(written([](auto& writer) { writer.bytes(""); }), "40");
  EXPECT_EQ(written([](auto& writer) { writer.bytes("\x01\x02\x03\x04"); }), "4401020304");
  EXPECT_EQ(Reader(from_hex("4401020304")).bytes(), "\x01\x02\x03\x04");
  for (const auto& [hex, text] : std::array<std::pair<const char*, const char*>, 7>{{{"60", ""},
                                                                                     {"6161", "a"},
                                                                                     {"6449455446", "IETF"},
                                                                                     {"62225c", "\"\\"},
                                                                                     {"62c3bc", "\u00fc"},
                                                                                     {"63e6b0b4", "\u6c34"},
                                                                                     {"64f0908591", "\U00010151"}}}) {
    EXPECT_EQ(written([t = text](auto& writer) { writer.text(t); }), hex);
    const auto bytes = from_hex(hex);
    EXPECT_EQ(Reader(bytes).text(), text);
  }
}

TEST(Cbor, ArraysAndMapsAreThoseOfAppendixA) {
  EXPECT_EQ(written([](auto& writer) { writer.array(3).unsigned_integer(1).unsigned_integer(2).unsigned_integer(3); }),
            "83010203");
  EXPECT_EQ(written([](auto& writer) {
              writer.map(2).unsigned_integer(1).unsigned_integer(2).unsigned_integer(3).unsigned_integer(4);
            }),
            "a201020304");
}

TEST(Cbor, EveryItemOfTheSubsetInAppendixAIsSkippedWhole) {
  for (const auto* hex :
       {"00", "1bffffffffffffffff", "3bffffffffffffffff", "20", "40", "4401020304", "60", "64f0908591", "80",
        "83010203", "8301820203820405", "98190102030405060708090a0b0c0d0e0f101112131415161718181819", "a0",
        "a201020304", "a26161016162820203", "826161a161626163", "a56161614161626142616361436164614461656145"}) {
    const auto bytes = from_hex(hex);
    Reader reader(bytes);
    EXPECT_TRUE(reader.skip()) << hex;
    EXPECT_TRUE(reader.at_end()) << hex;
  }
}

TEST(Cbor, EverythingElseInAppendixAIsRefused) {
  for (const auto* hex : {"c249010000000000000000",
                          "c349010000000000000000",
                          "f90000",
                          "f98000",
                          "f93c00",
                          "fb3ff199999999999a",
                          "f93e00",
                          "f97bff",
                          "fa47c35000",
                          "fa7f7fffff",
                          "fb7e37e43c8800759c",
                          "f90001",
                          "f90400",
                          "f9c400",
                          "fbc010666666666666",
                          "f97c00",
                          "f97e00",
                          "f9fc00",
                          "fa7f800000",
                          "fa7fc00000",
                          "faff800000",
                          "fb7ff0000000000000",
                          "fb7ff8000000000000",
                          "fbfff0000000000000",
                          "f4",
                          "f5",
                          "f6",
                          "f7",
                          "f0",
                          "f818",
                          "f8ff",
                          "c074323031332d30332d32315432303a30343a30305a",
                          "c11a514b67b0",
                          "c1fb41d452d9ec200000",
                          "d74401020304",
                          "d818456449455446",
                          "d82076687474703a2f2f7777772e6578616d706c652e636f6d",
                          "5f42010243030405ff",
                          "7f657374726561646d696e67ff",
                          "9fff",
                          "9f018202039f0405ffff",
                          "9f01820203820405ff",
                          "83018202039f0405ff",
                          "83019f0203ff820405",
                          "9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff",
                          "bf61610161629f0203ffff",
                          "826161bf61626163ff",
                          "bf6346756ef563416d7421ff"}) {
    const auto bytes = from_hex(hex);
    EXPECT_FALSE(Reader(bytes).skip()) << hex;
  }
}

TEST(Cbor, LongerFormsThanNeededAreRefused) {
  for (const auto* hex : {"1817", "190017", "1900ff", "1a0000ffff", "1b00000000ffffffff", "3800", "580101", "780161",
                          "980101", "b8010102"}) {
    const auto bytes = from_hex(hex);
    EXPECT_FALSE(Reader(bytes).skip()) << hex;
  }
}

TEST(Cbor, UnsortedAndRepeatedMapKeysAreRefused) {
  for (const auto* hex : {"a203010102", "a201010102", "a2616201616101"}) {
    const auto bytes = from_hex(hex);
    EXPECT_FALSE(Reader(bytes).skip()) << hex;
  }
}

TEST(Cbor, ItemsCutShortAndCountsBeyondTheBytesAreRefused) {
  for (const auto* hex : {"", "18", "19ff", "1bffffff", "41", "44010203", "8101", "8201", "a101", "9bffffffffffffffff",
                          "bbffffffffffffffff", "5bffffffffffffffff", "7bffffffffffffffff00"}) {
    const auto bytes = from_hex(hex);
    Reader reader(bytes);
    EXPECT_EQ(reader.skip(), std::string_view(hex) == "8101") << hex;
  }
}

TEST(Cbor, NestingIsBounded) {
  EXPECT_TRUE(Reader(from_hex("8181818181818100")).skip());
  EXPECT_FALSE(Reader(from_hex("818181818181818100")).skip());
  const std::string deep(1'000'000, '\x81');
  EXPECT_FALSE(Reader(deep).skip());
}

}}  // namespace obol::sealing::cbor

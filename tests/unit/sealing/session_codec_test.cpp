// The signed map of a session: each key in its place, of its kind and once, or it is malformed.
#include "sealing/session_codec.hpp"

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "sealing/cbor.hpp"
#include "support/hex.hpp"

namespace obol::sealing { namespace {

using testing::from_hex;
using testing::to_hex;

using Pair = std::pair<std::string, std::string>;  // Key and value, as hexadecimal CBOR.
using Pairs = std::vector<Pair>;

Pairs all_keys() {
  return {{"01", "01"}, {"02", "02"},   {"03", "03"},   {"04", "04"},     {"05", "05"},
          {"06", "06"}, {"07", "3863"}, {"08", "4161"}, {"09", "426263"}, {"0a", "48a0a1a2a3a4a5a6a7"}};
}

std::string encoded(const Pairs& pairs) {
  std::string out;
  cbor::Writer(out).map(pairs.size());
  for (const auto& [key, value] : pairs) out += from_hex(key + value);
  return out;
}

std::optional<VerificationFailure> failure(std::string_view bytes) {
  Session session;
  const auto decoded = decode_session(bytes, session);
  return decoded ? std::nullopt : std::optional(decoded.error());
}

Pairs with_value(std::size_t index, std::string value) {
  auto pairs = all_keys();
  pairs[index].second = std::move(value);
  return pairs;
}

TEST(SessionCodec, DecodesEachKeyIntoItsMember) {
  const auto at = [](int seconds) { return std::chrono::sys_seconds(std::chrono::seconds(seconds)); };
  Session session{.id = "s", .user_id = "u", .lock_version = 9};
  ASSERT_TRUE(decode_session(encoded(all_keys()), session).has_value());
  EXPECT_EQ(session, (Session{.id = "s",
                              .user_id = "u",
                              .refresh_token_id = "a",
                              .created_at = at(2),
                              .refreshed_at = at(3),
                              .refresh_expires_at = at(4),
                              .tokens_fresh_from = at(5),
                              .prev_tokens_fresh_from = at(6),
                              .expires_at = at(-100),
                              .lock_version = 9,
                              .extra_payload = "bc"}));
  EXPECT_EQ(to_hex(encode_session(session, {0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7})),
            to_hex(encoded(all_keys())));
}

TEST(SessionCodec, LeavesAnAbsentEndUnset) {
  auto pairs = all_keys();
  pairs.erase(pairs.begin() + 6);
  Session session{.expires_at = std::chrono::sys_seconds{}};
  ASSERT_TRUE(decode_session(encoded(pairs), session).has_value());
  EXPECT_EQ(session.expires_at, std::nullopt);
}

TEST(SessionCodec, RefusesAMapWithoutAnyOneOfItsKeys) {
  for (std::size_t i = 0; i < all_keys().size(); ++i) {
    if (all_keys()[i].first == "07") continue;
    auto pairs = all_keys();
    pairs.erase(pairs.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_EQ(failure(encoded(pairs)), VerificationFailure::malformed) << "without key " << i + 1;
  }
}

TEST(SessionCodec, RefusesAnyKeyTwice) {
  for (std::size_t i = 0; i < all_keys().size(); ++i) {
    auto pairs = all_keys();
    pairs.insert(pairs.begin() + static_cast<std::ptrdiff_t>(i), pairs[i]);
    EXPECT_EQ(failure(encoded(pairs)), VerificationFailure::malformed) << "key " << i + 1;
  }
}

TEST(SessionCodec, RefusesAnyTwoKeysOutOfOrder) {
  for (std::size_t i = 0; i + 1 < all_keys().size(); ++i) {
    auto pairs = all_keys();
    std::swap(pairs[i], pairs[i + 1]);
    EXPECT_EQ(failure(encoded(pairs)), VerificationFailure::malformed) << "key " << i + 1;
  }
}

TEST(SessionCodec, RefusesAValueOfTheWrongKindUnderAnyKey) {
  for (std::size_t i = 0; i < all_keys().size(); ++i) {
    const bool holds_bytes = i >= 7;
    for (const auto* value : {holds_bytes ? "01" : "4101", "6161", "80", "a0", "f6", "f93c00", "c101", "1801"}) {
      EXPECT_EQ(failure(encoded(with_value(i, value))), VerificationFailure::malformed) << i + 1 << ": " << value;
    }
  }
}

TEST(SessionCodec, RefusesAWriteIdThatIsNotEightBytes) {
  for (const auto* value : {"40", "47a0a1a2a3a4a5a6", "49a0a1a2a3a4a5a6a7a8"}) {
    EXPECT_EQ(failure(encoded(with_value(9, value))), VerificationFailure::malformed) << value;
  }
}

TEST(SessionCodec, RefusesTimesBeyond64SignedBits) {
  for (const auto* value : {"1b8000000000000000", "3b8000000000000000", "1bffffffffffffffff"}) {
    EXPECT_EQ(failure(encoded(with_value(1, value))), VerificationFailure::malformed) << value;
  }
}

TEST(SessionCodec, SkipsKeysAboveItsOwnWhateverTheyHold) {
  for (const auto* value : {"00", "3863", "4161", "6161", "8201a10102", "a20102418100"}) {
    auto pairs = all_keys();
    pairs.emplace_back("0b", value);
    pairs.emplace_back("1903e8", value);
    EXPECT_EQ(failure(encoded(pairs)), std::nullopt) << value;
  }
}

TEST(SessionCodec, RefusesUnknownKeysThatAreNoNumbersOrHoldWhatItCannotSkip) {
  for (const auto& pair : {Pair{"20", "00"}, Pair{"6161", "00"}, Pair{"0b", "f5"}, Pair{"0b", "c101"},
                           Pair{"0b", "9fff"}, Pair{"0b", "a201000100"}}) {
    auto pairs = all_keys();
    pairs.push_back(pair);
    EXPECT_EQ(failure(encoded(pairs)), VerificationFailure::malformed) << pair.first << pair.second;
  }
}

TEST(SessionCodec, TellsANewerFormatWhateverFollows) {
  EXPECT_EQ(failure(from_hex("a20102f6")), VerificationFailure::newer_format);
  EXPECT_EQ(failure(encoded(with_value(0, "1b0000000100000000"))), VerificationFailure::newer_format);
  EXPECT_EQ(failure(encoded(with_value(0, "00"))), VerificationFailure::malformed);
}

TEST(SessionCodec, RefusesAMapCutAtAnyLengthOrWithACountBeyondItsBytes) {
  const auto whole = encoded(all_keys());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_EQ(failure(whole.substr(0, length)), VerificationFailure::malformed) << length;
  }
  EXPECT_EQ(failure(whole + '\0'), VerificationFailure::malformed);
  EXPECT_EQ(failure(from_hex("bbffffffffffffffff0101") + whole.substr(3)), VerificationFailure::malformed);
}

}}  // namespace obol::sealing

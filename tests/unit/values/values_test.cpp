// Session ids, typed payloads and error codes.
#include <gtest/gtest.h>

#include <charconv>
#include <filesystem>
#include <set>

#include "obol/obol.hpp"

namespace {
struct Visits {
  int count;
};
}  // namespace

template <>
struct obol::PayloadCodec<Visits> {
  static std::string encode(const Visits& visits) { return std::to_string(visits.count); }
  static obol::Result<Visits> decode(std::string_view bytes) {
    Visits visits{};
    const auto [end, error] = std::from_chars(bytes.data(), bytes.data() + bytes.size(), visits.count);
    if (error != std::errc{}) return std::unexpected(Error{ErrorCode::protocol, "no number"});
    return visits;
  }
};

namespace obol { namespace {

TEST(SessionId, IsTwentyTwoCookieSafeCharactersAndNeverTheSame) {
  std::set<std::string> ids;
  for (int i = 0; i < 10'000; ++i) {
    const auto id = generate_session_id().value();
    ASSERT_EQ(id.size(), 22U);
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 10'000U);
}

TEST(SessionId, HashIsTheFirstSixteenDigitsOfItsSha256) {
  EXPECT_EQ(session_id_hash("abc"), "ba7816bf8f01cfea");  // FIPS 180-2, appendix B.1
}

TEST(TypedPayload, ComesBackAsItsType) {
  Session session;
  session.set_payload(Visits{42});
  EXPECT_EQ(session.payload<Visits>()->count, 42);
}

TEST(TypedPayload, ThatDoesNotDecodeIsTheCodecsError) {
  Session session;
  session.extra_payload = "not a number";
  EXPECT_EQ(session.payload<Visits>().error().code, ErrorCode::protocol);
}

constexpr unsigned last_code = static_cast<unsigned>(ErrorCode::cancelled);

TEST(ErrorCode, TheLastOneIsLast) {
  EXPECT_EQ(to_string(static_cast<ErrorCode>(last_code + 1)), "other") << "let last_code be the new code";
}

TEST(ErrorCode, MessageBeginsWithItsNameAndNamesAPageThatStands) {
  EXPECT_TRUE(make_error_code(ErrorCode::pool_timeout).message().starts_with("pool_timeout: "));
  for (unsigned value = 1; value <= last_code; ++value) {
    const auto message = make_error_code(static_cast<ErrorCode>(value)).message();
    const auto begin = message.find("docs/errors/");
    ASSERT_NE(begin, std::string::npos) << message;
    const auto page = message.substr(begin);
    EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(OBOL_TEST_SOURCE_DIR) / ".." / page)) << page;
    EXPECT_EQ(page, "docs/errors/" + message.substr(0, message.find(':')) + ".md");
  }
  EXPECT_EQ(make_error_code(static_cast<ErrorCode>(0)).message(), "unknown error");
}

TEST(ErrorCode, ComparesWithStandardCodesAndHasAMessage) {
  const std::error_code code = ErrorCode::conflict;
  EXPECT_EQ(code, ErrorCode::conflict);
  EXPECT_STREQ(code.category().name(), "obol");
  std::set<std::string> messages;
  for (unsigned value = 1; value <= last_code; ++value) {
    messages.insert(make_error_code(static_cast<ErrorCode>(value)).message());
  }
  EXPECT_EQ(messages.size(), std::size_t{last_code});
}

}}  // namespace obol

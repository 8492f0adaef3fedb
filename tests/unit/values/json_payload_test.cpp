// JSON payloads: what goes in comes out, and no stored bytes throw, overflow the stack or show up in a message.
#include "obol/json_payload.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "obol/memory_store.hpp"
#include "support/sessions.hpp"

namespace obol { namespace {

struct Device {
  std::string name{};
  int logins = 0;
  std::vector<std::string> places{};

  bool operator==(const Device&) const = default;
};
// NOLINTNEXTLINE(misc-const-correctness): in the macro
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Device, name, logins, places)

struct Picky {};
[[maybe_unused]] void to_json(nlohmann::json& json, const Picky&) { json = "picky"; }
void from_json(const nlohmann::json&, Picky&) { throw std::runtime_error("hunter2"); }

}}  // namespace obol

template <>
struct obol::PayloadCodec<obol::Device> : obol::JsonPayloadCodec<obol::Device> {};
template <>
struct obol::PayloadCodec<obol::Picky> : obol::JsonPayloadCodec<obol::Picky> {};

namespace obol { namespace {

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(JsonPayload, OfAStructSurvivesTheStore) {
  MemoryStore store;
  auto session = testing::new_session();
  const Device device{.name = "Jürgen's \"phone\"\n", .logins = 3, .places = {"here", ""}};
  session.set_payload(device);
  ASSERT_TRUE(store.upsert(session));
  EXPECT_EQ(store.get(session.key()).value()->payload<Device>().value(), device);
}

TEST(JsonPayload, OfJsonItselfSurvivesTheStore) {
  MemoryStore store;
  auto session = testing::new_session();
  const nlohmann::json payload{{"scopes", {"read", "write"}}, {"level", -1.5}, {"nothing", nullptr}};
  session.set_payload(payload);
  ASSERT_TRUE(store.upsert(session));
  EXPECT_EQ(store.get(session.key()).value()->payload<nlohmann::json>().value(), payload);
}

TEST(JsonPayload, OfAnOlderReleaseGetsTheDefaultsOfNewMembers) {
  EXPECT_EQ(PayloadCodec<Device>::decode(R"({"name":"laptop","unknown":[]})").value(), (Device{.name = "laptop"}));
}

TEST(JsonPayload, ThatIsNotJsonIsAProtocolErrorThatDoesNotRepeatIt) {
  for (const std::string_view text : {"", "hunter2", "{\"hunter2\":", "\"hunter2", "[1]hunter2", "1e999", "\xFF",
                                      "[\"\xC3\"]", "{\"a\":1,}", "NaN", "\"\\", "]", "}}}}"}) {
    for (const auto& error :
         {PayloadCodec<nlohmann::json>::decode(text).error(), PayloadCodec<Device>::decode(text).error()}) {
      EXPECT_EQ(error.code, ErrorCode::protocol) << text;
      EXPECT_EQ(error.message.find("hunter2"), std::string::npos) << error.message;
    }
  }
}

TEST(JsonPayload, OfAnotherShapeIsAProtocolErrorThatDoesNotRepeatIt) {
  for (const std::string_view text :
       {"[]", "null", "\"hunter2\"", R"({"name":["hunter2"]})", R"({"places":{"hunter2":1}})"}) {
    const auto device = PayloadCodec<Device>::decode(text);
    ASSERT_FALSE(device.has_value()) << text;
    EXPECT_EQ(device.error().code, ErrorCode::protocol);
    EXPECT_EQ(device.error().message.find("hunter2"), std::string::npos) << device.error().message;
  }
}

TEST(JsonPayload, WhoseTypeThrowsIsAProtocolErrorThatDoesNotRepeatWhatItSaid) {
  const auto picky = PayloadCodec<Picky>::decode("\"picky\"");
  ASSERT_FALSE(picky.has_value());
  EXPECT_EQ(picky.error().code, ErrorCode::protocol);
  EXPECT_EQ(picky.error().message.find("hunter2"), std::string::npos);
}

TEST(JsonPayload, IsRefusedWhereItNestsTooDeepHoweverDeep) {
  EXPECT_TRUE(decode_json(nested(32)).has_value());
  for (const std::size_t depth : {33UZ, 500'000UZ}) {
    EXPECT_EQ(decode_json(nested(depth)).error().code, ErrorCode::protocol) << depth;
    EXPECT_EQ(decode_json(std::string(depth, '{')).error().code, ErrorCode::protocol) << depth;
  }
  EXPECT_TRUE(decode_json(nested(33), {.max_depth = 33}).has_value());
}

TEST(JsonPayload, MayHaveAnyNumberOfBracketsInStringsAndSideBySide) {
  EXPECT_TRUE(decode_json("\"" + std::string(100, '[') + "\"").has_value());
  EXPECT_TRUE(decode_json(R"(["\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[","\\",[]])").has_value());
  std::string wide = "[[]";
  for (int i = 0; i < 100; ++i) wide += ",[{}]";
  EXPECT_TRUE(decode_json(wide + "]").has_value());
}

TEST(JsonPayload, IsRefusedWhereItIsTooLarge) {
  EXPECT_TRUE(decode_json("\"1234\"", {.max_bytes = 6}).has_value());
  EXPECT_EQ(decode_json("\"12345\"", {.max_bytes = 6}).error().code, ErrorCode::too_large);
}

TEST(JsonPayload, SaysBytesThatAreNotUtf8AsReplacementCharacters) {
  const auto text = PayloadCodec<Device>::encode({.name = "a\xFF"});
  EXPECT_EQ(PayloadCodec<Device>::decode(text).value().name, "a\xEF\xBF\xBD");
}

}}  // namespace obol

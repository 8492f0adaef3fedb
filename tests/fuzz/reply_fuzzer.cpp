// Fuzzes the reading of replies, cut into pieces as the input says, and every pure function of what was read.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "input.hpp"
#include "redis/protocol/reply.hpp"
#include "redis/protocol/reply_error.hpp"
#include "redis/protocol/server_version.hpp"
#include "require.hpp"
#include "store/session_commands.hpp"

namespace obol::fuzz { namespace {

using redis::Reply;
using redis::ReplyReader;
using Kind = Reply::Kind;

constexpr std::size_t ample = std::size_t{1024} * 1024;

bool equal(const Reply& left, const Reply& right) {
  return left.kind == right.kind && left.integer == right.integer && left.text == right.text &&
         std::ranges::equal(left.elements, right.elements, equal);
}

/// What came out of some bytes: the replies, and the error that ended them if one did.
struct Outcome {
  std::vector<Reply> replies;
  std::error_code failure;
};

/// Adds every whole reply there is; false where the connection would end.
bool take_replies(ReplyReader& reader, Outcome& outcome) {
  while (true) {
    auto reply = reader.next();
    if (!reply) {
      outcome.failure = reply.error().code;
      return false;
    }
    if (!*reply) return true;
    outcome.replies.push_back(std::move(**reply));
  }
}

/// Feeds pieces of the lengths given, over and over.
Outcome read(std::string_view bytes, std::string_view lengths, std::size_t limit) {
  Outcome outcome;
  ReplyReader reader(limit);
  for (std::size_t i = 0; !bytes.empty(); ++i) {
    const auto length = lengths.empty() ? bytes.size() : 1 + static_cast<unsigned char>(lengths[i % lengths.size()]);
    const auto piece = bytes.substr(0, length);
    bytes.remove_prefix(piece.size());
    reader.feed(piece);
    if (!take_replies(reader, outcome)) break;
  }
  return outcome;
}

bool begins_with(const std::vector<Reply>& all, const std::vector<Reply>& first) {
  return first.size() <= all.size() && std::equal(first.begin(), first.end(), all.begin(), equal);
}

void check_pieces(std::string_view bytes, std::string_view lengths, const Outcome& whole) {
  const auto pieces = read(bytes, lengths, ample);
  require(pieces.failure == whole.failure && pieces.replies.size() == whole.replies.size() &&
              begins_with(whole.replies, pieces.replies),
          "replies are the same however their bytes are cut");
}

/// Where each reply ends, read byte by byte.
std::vector<std::size_t> check_each_byte(std::string_view bytes) {
  std::vector<std::size_t> ends;
  ReplyReader reader(ample);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    reader.feed(bytes.substr(i, 1));
    Outcome outcome;
    if (!take_replies(reader, outcome)) break;
    require(outcome.replies.size() <= 1, "one byte ends one reply at most");
    if (!outcome.replies.empty()) ends.push_back(i + 1);
    require(reader.has_unread_bytes() == outcome.replies.empty(),
            "bytes of a reply that is not whole yet count as unread");
  }
  return ends;
}

/// All elements within, each list without room for more than were sent.
std::size_t count_elements(const Reply& reply) {
  require(reply.elements.capacity() == reply.elements.size(), "a reply holds no more elements than were announced");
  std::size_t count = reply.elements.size();
  for (const auto& element : reply.elements) count += count_elements(element);
  return count;
}

/// What each reply takes of a limit.
std::vector<std::size_t> costs(const Outcome& whole, const std::vector<std::size_t>& ends) {
  std::vector<std::size_t> costs;
  std::size_t start = 0;
  for (std::size_t i = 0; i < whole.replies.size(); ++i) {
    costs.push_back(ends[i] - start + ReplyReader::element_cost * count_elements(whole.replies[i]));
    start = ends[i];
  }
  return costs;
}

void check_limit(std::string_view bytes, std::string_view lengths, std::size_t limit, const Outcome& whole,
                 const std::vector<std::size_t>& costs) {
  const auto limited = read(bytes, lengths, limit);
  const auto beyond = std::ranges::find_if(costs, [&](std::size_t cost) { return cost > limit; });
  const bool is_ended = beyond != costs.end();
  require(begins_with(whole.replies, limited.replies), "a limit changes no reply");
  require(limited.replies.size() == static_cast<std::size_t>(beyond - costs.begin()),
          "a limit ends the replies with the first that costs more");
  require(limited.failure == ErrorCode::too_large || (!is_ended && limited.failure == whole.failure),
          "a limit adds no failure but its own");
}

void check_unread_bytes(std::string_view bytes, const std::vector<std::size_t>& ends) {
  ReplyReader reader(ample);
  reader.feed(bytes);
  for (const auto end : ends) {
    const auto reply = reader.next();
    require(reply && *reply && reader.has_unread_bytes() == (end < bytes.size()),
            "bytes behind a reply count as unread");
  }
}

void check_error(const Reply& error) {
  // The longest beginning by which an error is told; servers repeat arguments behind it.
  constexpr std::size_t telling_bytes = std::string_view("ERR max number of clients").size();
  const auto refusal = [](std::string_view text) { return Reply{.kind = Kind::error, .text = text}; };
  const std::string word(error.error_word());
  const std::string beginning(error.text.substr(0, std::max(telling_bytes, word.size())));
  require(remedy_for(error) == remedy_for(refusal(beginning)),
          "what to do about an error does not depend on what it quotes");
  // Some kinds are told by words that may stand anywhere.
  const std::array<std::string, 6> known{beginning,
                                         word + " unknown command",
                                         word + " unknown command called from script",
                                         word + " to access data",
                                         word + " to access a key",
                                         "ERR SELECT is not allowed in cluster mode"};
  const auto check = [&](auto judge) {
    const auto judged = judge(error);
    const auto is_as_of = [&](const std::string& text) {
      const auto expected = judge(refusal(text));
      return judged.code == expected.code && judged.message == expected.message;
    };
    require(judged.code && std::ranges::any_of(known, is_as_of),
            "an error's message holds nothing that the server quotes");
  };
  check([](const Reply& reply) { return redis::error_of(reply, "HGET"); });
  check([](const Reply& reply) { return redis::error_of(reply, "FCALL"); });
  check([](const Reply& reply) { return redis::error_of_handshake(reply, {.sent_credentials = true}); });
  check([](const Reply& reply) { return redis::error_of_select(reply, 3); });
}

void check_session_results(const Reply& reply) {
  if (const auto found = get_result(reply)) {
    require(reply.kind == (*found ? Kind::text : Kind::nil) && found->value_or("") == reply.text,
            "a get finds the text that was sent, or nothing");
  }
  if (const auto fields = get_all_result(reply)) {
    require(reply.kind == Kind::map && fields->size() * 2 == reply.elements.size(), "a get_all finds all pairs sent");
    for (std::size_t i = 0; i < fields->size(); ++i) {
      require((*fields)[i].id == reply.elements[2 * i].text && (*fields)[i].sealed == reply.elements[2 * i + 1].text,
              "a get_all finds each pair as it was sent");
    }
  }
  if (const auto updated = update_result(reply)) {
    require((updated->outcome == UpdateResult::Outcome::conflict) == (reply.kind == Kind::text) &&
                updated->sealed == reply.text,
            "an update that lost has what won");
  }
  require(create_result(reply).has_value() == (reply.kind == Kind::integer), "a create is answered by a number");
  require(delete_result({&reply, 1}).has_value() == (reply.kind == Kind::integer && reply.integer >= 0),
          "a delete is answered by a count");
  if (const auto created = managed_create_result(reply)) {
    require(reply.kind == Kind::list && created->evicted.size() < reply.elements.size(),
            "a create that looks after the policy is answered by a list");
  }
}

void check_introduction(const Reply& hello) {
  const auto version = redis::server_version_in(hello);
  require(version.has_value() == (hello.kind == Kind::map), "a map introduces a server, and nothing else does");
  if (!version) return;
  const auto name = version->name();
  require(!name.empty() && name.size() < 80, "a server has a name, and a short one");
  require(std::ranges::all_of(name, [](char letter) { return letter >= ' ' && letter <= '~'; }),
          "a server's name can be printed");
  if (!version->is_tested()) return;
  require(hello.find("server") != nullptr && hello.find("version") != nullptr, "a tested server says what it is");
  require(std::atoi(version->version.c_str()) >= (version->kind == "Valkey" ? 9 : 8), "a tested server is new enough");
}

void check_meaning(const Reply& reply) {
  if (reply.is_error()) check_error(reply);
  check_session_results(reply);
  check_introduction(reply);
}

}}  // namespace obol::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  obol::fuzz::Input input(data, size);
  const auto limit = 1 + 8 * input.byte();
  const auto lengths = input.take(input.byte() % 8);
  const auto bytes = input.rest();
  const auto whole = obol::fuzz::read(bytes, {}, obol::fuzz::ample);
  obol::fuzz::check_pieces(bytes, lengths, whole);
  const auto ends = obol::fuzz::check_each_byte(bytes);
  obol::fuzz::require(ends.size() == whole.replies.size(), "replies are the same read byte by byte");
  const auto costs = obol::fuzz::costs(whole, ends);
  obol::fuzz::check_limit(bytes, lengths, limit, whole, costs);
  obol::fuzz::check_limit(bytes, {}, limit, whole, costs);
  obol::fuzz::check_unread_bytes(bytes, ends);
  for (const auto& reply : whole.replies) obol::fuzz::check_meaning(reply);
  return 0;
}

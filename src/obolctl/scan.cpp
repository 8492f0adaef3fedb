// Sends SCAN and takes its pages apart.
// Source: https://redis.io/docs/latest/commands/scan/
#include "obolctl/scan.hpp"

#include <charconv>
#include <utility>

#include "obolctl/interruption.hpp"

namespace obol::ctl {

using redis::Reply;

namespace {

bool is_cursor(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

Result<ScanPage> scan(Primary& primary, std::string_view cursor, std::string_view pattern, std::string_view type) {
  auto reply = primary.call({"SCAN", cursor, "MATCH", pattern, "COUNT", "500", "TYPE", type});
  if (!reply) return std::unexpected(std::move(reply.error()));
  const auto& parts = reply->elements;
  if (reply->kind != Reply::Kind::list || parts.size() != 2 || parts[0].kind != Reply::Kind::text ||
      parts[1].kind != Reply::Kind::list || !is_cursor(parts[0].text)) {
    return std::unexpected(
        Error{ErrorCode::protocol, "the server's reply to SCAN is invalid; is a proxy changing it?"});
  }
  ScanPage page{.keys = {}, .cursor = std::string(parts[0].text)};
  page.keys.reserve(parts[1].elements.size());
  for (const auto& key : parts[1].elements) page.keys.emplace_back(key.text);
  return page;
}

double scanned_fraction(std::string_view cursor) {
  std::uint64_t bits = 0;
  std::from_chars(cursor.data(), cursor.data() + cursor.size(), bits);
  double fraction = 0;
  for (double weight = 0.5; bits != 0; bits >>= 1, weight /= 2) {
    if ((bits & 1) != 0) fraction += weight;
  }
  return fraction;
}

Result<void> for_each_stored_key(const Server& server, std::string_view prefix, std::string_view pattern,
                                 const Visit& visit) {
  const auto count = static_cast<double>(server.primaries().size());
  double before = 0;
  for (const auto& primary : server.primaries()) {
    std::string cursor = "0";
    do {
      if (auto going = check_interruption(); !going) return going;
      auto page = scan(*primary, cursor, pattern, "hash");
      if (!page) return std::unexpected(std::move(page.error()));
      cursor = std::move(page->cursor);
      std::vector<StoredKey> stored_keys;
      for (const auto& key : page->keys) {
        if (auto stored_key = parse_stored_key(prefix, key)) stored_keys.push_back(std::move(*stored_key));
      }
      const auto fraction = cursor == "0" ? 1 : scanned_fraction(cursor);
      if (auto visited = visit(*primary, stored_keys, (before + fraction) / count); !visited) return visited;
    } while (cursor != "0");
    ++before;
  }
  return server.check_slots();
}

}  // namespace obol::ctl

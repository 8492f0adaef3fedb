// Walks over the keys of a primary with SCAN, page by page.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "obolctl/server.hpp"
#include "obolctl/stored_key.hpp"

namespace obol::ctl {

struct ScanPage {
  std::vector<std::string> keys;
  std::string cursor;  ///< For the next page; "0": this was the last.
};

/// `type`: "hash" or "string".
Result<ScanPage> scan(Primary& primary, std::string_view cursor, std::string_view pattern, std::string_view type);

/// How much of the keyspace lies behind a cursor, 0 to 1. Servers count the cursor's bits backwards.
double scanned_fraction(std::string_view cursor);

/// A page of stored keys, and how much of everything is done behind it.
using Visit = std::function<Result<void>(Primary& primary, std::span<const StoredKey> stored_keys, double fraction)>;

/// Visits every stored key under a prefix, on every primary. A key that exists during the whole scan is seen, perhaps
/// more than once. Ends with the first error, or `interrupted`; with an error, too, where slots of a cluster moved
/// meanwhile.
Result<void> for_each_stored_key(const Server& server, std::string_view prefix, std::string_view pattern,
                                 const Visit& visit);

}  // namespace obol::ctl

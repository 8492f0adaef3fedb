// Asks sentinels, one after the other, for the address of a primary.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "obol/error.hpp"
#include "obol/server_address.hpp"
#include "redis/core/sequential_search.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// One search: which sentinel is asked next, what its answer means, and which sentinel the next search begins with.
/// Sentinels are known by their position in the options. Not thread-safe.
class PrimarySearch {
 public:
  struct Turn {
    std::size_t sentinel;
    std::size_t parts;  ///< See SequentialSearch. One part is for the connection to the primary.
  };

  /// Begins with `first` and goes round.
  PrimarySearch(std::size_t sentinels, std::size_t first);

  /// Nothing once a sentinel has named the primary, or all have been asked.
  std::optional<Turn> next();

  /// What the sentinel asked last said; no address: it monitors no primary of that name.
  void take(Result<std::optional<ServerAddress>> answer);

  /// The primary, if one was named.
  const std::optional<ServerAddress>& primary() const { return primary_; }

  /// Why none was named. `invalid_argument` if no sentinel monitors a primary of that name.
  Error error(std::string_view primary_name) const;

  /// Whom the next search begins with, if not with whom this one did. `was_reached`: a connection to the primary that
  /// was named could be opened. If not, another sentinel may already know of a fail-over.
  std::optional<std::size_t> next_first(bool was_reached) const;

 private:
  const std::size_t sentinels_;
  const std::size_t first_;
  SequentialSearch search_;
  std::size_t asked_ = 0;  ///< The sentinel asked last.
  std::optional<ServerAddress> primary_;
};

}}}  // namespace obol::v0::redis

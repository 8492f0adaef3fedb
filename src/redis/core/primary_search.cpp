// The order of sentinels goes round, so all that is remembered of it is who is first.
#include "redis/core/primary_search.hpp"

#include <fmt/format.h>

#include <utility>

namespace obol { inline namespace v0 { namespace redis {

PrimarySearch::PrimarySearch(std::size_t sentinels, std::size_t first)
    : sentinels_(sentinels), first_(first), search_(sentinels, SequentialSearch::Reports::transient, 1) {}

std::optional<PrimarySearch::Turn> PrimarySearch::next() {
  if (primary_) return std::nullopt;
  const auto turn = search_.next();
  if (!turn) return std::nullopt;
  asked_ = (first_ + turn->candidate) % sentinels_;
  return Turn{.sentinel = asked_, .parts = turn->parts};
}

void PrimarySearch::take(Result<std::optional<ServerAddress>> answer) {
  if (answer) {
    primary_ = std::move(*answer);
  } else {
    search_.failed(std::move(answer.error()));
  }
}

Error PrimarySearch::error(std::string_view primary_name) const {
  if (search_.has_failed()) return search_.error("no sentinel returned the primary's address");
  return {ErrorCode::invalid_argument,
          fmt::format("the sentinels monitor no primary called '{}'; check connection.sentinel.primary_name",
                      primary_name)};
}

std::optional<std::size_t> PrimarySearch::next_first(bool was_reached) const {
  if (!primary_) return std::nullopt;
  const auto first = was_reached ? asked_ : (asked_ + 1) % sentinels_;
  return first == first_ ? std::nullopt : std::optional(first);
}

}}}  // namespace obol::v0::redis

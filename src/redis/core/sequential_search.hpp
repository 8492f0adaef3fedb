// Asks several servers the same question, one after the other, until one answers.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#include "obol/error.hpp"
#include "redis/core/error_kind.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Decides who is asked next, for how long, and which of the errors is reported if nobody answers. Whoever has an
/// answer stops asking. Not thread-safe.
class SequentialSearch {
 public:
  /// The kind of error that counts more than the other; of one kind the first counts.
  enum class Reports {
    transient,  ///< The search is repeated, and may succeed once that error has passed.
    lasting,    ///< Nobody repeats the search: what somebody has to mend must not be hidden.
  };

  struct Turn {
    std::size_t candidate;  ///< Its position among the candidates.
    std::size_t parts;      ///< It may take one of so many equal parts of the time that is left.
  };

  /// `parts_behind`: for what has to be done with the answer by the same deadline.
  SequentialSearch(std::size_t candidates, Reports reports, std::size_t parts_behind = 0)
      : candidates_(candidates), parts_behind_(parts_behind), reports_(reports) {}

  /// Nothing once all have been asked.
  std::optional<Turn> next() {
    if (asked_ == candidates_) return std::nullopt;
    const auto candidate = asked_++;
    return Turn{.candidate = candidate, .parts = candidates_ - candidate + parts_behind_};
  }

  /// The candidate asked last has no answer.
  void failed(Error error) {
    if (!error_ || (counts_more(error) && !counts_more(*error_))) error_ = std::move(error);
  }

  bool has_failed() const { return error_.has_value(); }

  /// The error to report, behind `what`. Only if a candidate has failed.
  Error error(std::string_view what) const { return {error_->code, fmt::format("{}: {}", what, error_->message)}; }

 private:
  bool counts_more(const Error& error) const { return is_transient(error) == (reports_ == Reports::transient); }

  const std::size_t candidates_;
  const std::size_t parts_behind_;
  const Reports reports_;
  std::size_t asked_ = 0;
  std::optional<Error> error_;
};

}}}  // namespace obol::v0::redis

// What callers of a store were told, and the check that all of it can be true at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace obol::testing::history {

/// Nanoseconds of one monotonic clock.
using Time = std::int64_t;

inline Time now() { return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// A session as a reply showed it. Every payload names its session, its version and the write that stored it.
struct Seen {
  std::uint32_t session = 0;  ///< As asked for, or by its id.
  std::uint64_t version = 0;  ///< Its lock version.
  std::uint32_t named_session = 0;
  std::uint64_t named_version = 0;
  std::uint64_t named_write = 0;
};

enum class Operation { create, refresh, delete_one, delete_all, delete_others, get, get_all };

enum class Outcome {
  done,      ///< Acknowledged.
  conflict,  ///< Refused; `seen` holds the winner, if any.
  gone,      ///< Refused: no such session is stored.
  expired,   ///< Refused, and nothing was changed: what was to be stored is past.
  unknown,   ///< May have been done or not.
  given_up,  ///< The caller did not wait for the end: may have been done or not, and may be done later.
};

/// One call. Sessions and writes have numbers that are never used again.
struct Call {
  Operation operation = Operation::get;
  Outcome outcome = Outcome::unknown;
  std::uint32_t user = 0;
  std::uint32_t session = 0;  ///< The one concerned; for delete_others the one kept.
  std::uint64_t version = 0;  ///< Of create and refresh: the one to be stored.
  std::uint64_t write = 0;    ///< Of create and refresh.
  Time start = 0;
  Time end = 0;
  std::vector<Seen> seen{};
  bool is_confirmed = false;  ///< Of deletes: every replica that may be promoted was known to have it.
  bool is_async = false;      ///< Of an asynchronous store.
  std::string error{};        ///< Of `unknown`: what the caller was told.
};

/// A time in which a fail-over may take back what is acknowledged or shown, since no replica may have it.
struct LossWindow {
  Time from = 0;
  Time to = 0;
};

/// Which rule a history breaks, and how.
enum class Rule {
  reply_of_another,    ///< A reply showed another session, version or write than it should.
  lost_write,          ///< An acknowledged write is not to be found, and nothing can have deleted it.
  went_back,           ///< An older version was read or stored after a newer one was known.
  version_twice,       ///< One lock version was acknowledged twice.
  back_after_logout,   ///< A session was read or refreshed after its acknowledged logout.
  back_after_gone,     ///< A session was read after it was found gone.
  conflict_with_self,  ///< A write was refused because of itself.
  expired_but_stored,  ///< What was refused as expired was read.
};

struct Violation {
  Rule rule{};
  std::uint32_t session = 0;
  std::string description{};
};

/// The rules that the history breaks. A write that was refused or has no known outcome may have happened: its answer
/// may have been lost, and it was then repeated. Nobody has to remember what was acknowledged or shown in a window, but
/// for deletes that were confirmed.
std::vector<Violation> check(const std::vector<Call>& calls, const std::vector<LossWindow>& windows = {});

/// What was done with that session, a line for each call, in the order in which they began.
std::string story_of(std::uint32_t session, const std::vector<Call>& calls);

}  // namespace obol::testing::history

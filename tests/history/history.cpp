// Checks a history session by session: each becomes a track of writes, deletes and reads.
#include "history/history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace obol::testing::history {
namespace {

constexpr Time never = std::numeric_limits<Time>::max();

/// Users are few, and live for long.
constexpr Time story_length = 20'000'000'000;

struct Interval {
  Time start = 0;
  Time end = 0;
  bool may_be_lost = false;  ///< A fail-over may take back what happened then.
};

struct Write {
  Interval when;
  std::uint64_t version = 0;
  std::uint64_t number = 0;
  bool done = false;
  bool expired = false;
  bool given_up = false;
};

struct Delete {
  Interval when;
  bool done = false;
};

struct Read {
  Interval when;
  std::optional<Seen> seen{};
};

/// The highest version known to be stored before a point in time.
class Floor {
 public:
  void add(Time known_from, std::uint64_t version) { points_.push_back({known_from, version}); }

  void settle() {
    std::ranges::sort(points_, {}, &Point::from);
    std::uint64_t highest = 0;
    for (auto& point : points_) point.version = highest = std::max(highest, point.version);
  }

  std::uint64_t before(Time time) const {
    const auto after = std::ranges::lower_bound(points_, time, {}, &Point::from);
    return after == points_.begin() ? 0 : std::prev(after)->version;
  }

 private:
  struct Point {
    Time from;
    std::uint64_t version;
  };
  std::vector<Point> points_;
};

/// All that concerns one session.
class Track {
 public:
  explicit Track(std::uint32_t session) : session_(session) {}

  void add(Write write, bool creates) {
    if (creates) created_ = write;
    writes_.push_back(write);
  }
  void add(Delete deletion) { deletes_.push_back(deletion); }
  void add(Read read) { reads_.push_back(read); }

  void check(std::vector<Violation>& violations) {
    violations_ = &violations;
    learn();
    check_versions();
    for (const auto& write : writes_) {
      if (write.done) check_write(write);
    }
    for (const auto& read : reads_) read.seen ? check_seen(read) : check_nothing(read);
  }

 private:
  void learn() {
    for (const auto& write : writes_) {
      if (write.done) floor_.add(write.when.end, write.version);
      by_number_.emplace(write.number, &write);
    }
    for (const auto& read : reads_) {
      if (read.seen && !read.when.may_be_lost) floor_.add(read.when.end, read.seen->version);
    }
    floor_.settle();
    const auto created_by = this->created_by();
    for (const auto& deletion : deletes_) {
      first_delete_ = std::min(first_delete_, deletion.when.start);
      if (deletion.done && deletion.when.start > created_by) {
        logged_out_ = std::min(logged_out_, deletion.when.end);
      }
    }
    for (const auto& read : reads_) {
      const bool counts = !read.seen && !read.when.may_be_lost;
      if (counts && created_ && created_->done && read.when.start > created_->when.end) {
        found_gone_ = std::min(found_gone_, read.when.end);
      }
    }
  }

  /// From then on it cannot be created any more. A create is repeated until its end, even if it was done before, and
  /// the last repeat of one that was given up may be on its way still.
  Time created_by() const { return created_ && !created_->given_up ? created_->when.end : never; }

  /// Whether a logout ended before that time which began after the refresh had ended. A refresh that was acknowledged
  /// is not repeated, so that only a create can bring back what a caller gave up.
  bool was_deleted(const Write& write, Time time) const {
    if (!created_ || !created_->given_up || !write.done || write.number == created_->number) return false;
    return std::ranges::any_of(deletes_, [&](const Delete& deletion) {
      return deletion.done && deletion.when.start > write.when.end && deletion.when.end < time;
    });
  }

  void check_versions() {
    for (const auto& write : writes_) {
      if (write.done && !done_by_version_.emplace(write.version, &write).second) {
        report(Rule::version_twice, write.when,
               fmt::format("version {} was acknowledged to two writers", write.version));
      }
    }
  }

  void check_write(const Write& write) {
    if (const auto known = floor_.before(write.when.start); known >= write.version) {
      report(Rule::went_back, write.when,
             fmt::format("version {} was acknowledged when {} was known", write.version, known));
    }
    if (write.when.start > logged_out_) {
      report(Rule::back_after_logout, write.when, fmt::format("version {} was stored after the logout", write.version));
    }
  }

  void check_seen(const Read& read) {
    const Seen& seen = *read.seen;
    const auto what = fmt::format("version {} of write {}", seen.version, seen.named_write);
    if (seen.named_session != session_ || seen.named_version != seen.version) {
      report(Rule::reply_of_another, read.when,
             fmt::format("{} names session {} version {}", what, seen.named_session, seen.named_version));
      return;
    }
    const auto write = by_number_.find(seen.named_write);
    if (write == by_number_.end() || write->second->version != seen.version ||
        write->second->when.start > read.when.end) {
      report(Rule::reply_of_another, read.when, what + " was read, and nobody had written it");
    } else if (write->second->expired) {
      report(Rule::expired_but_stored, read.when, what + " was read, and its writer was told that it is expired");
    }
    const auto acknowledged = done_by_version_.find(seen.version);
    if (acknowledged != done_by_version_.end() && acknowledged->second->number != seen.named_write) {
      report(Rule::lost_write, read.when,
             fmt::format("{} stands where write {} was acknowledged", what, acknowledged->second->number));
    }
    if (const auto known = floor_.before(read.when.start); known > seen.version) {
      report(Rule::went_back, read.when, fmt::format("{} was read when {} was known", what, known));
    }
    if (read.when.start > logged_out_ || (write != by_number_.end() && was_deleted(*write->second, read.when.start))) {
      report(Rule::back_after_logout, read.when, what + " was read after the logout");
    } else if (read.when.start > found_gone_) {
      report(Rule::back_after_gone, read.when, what + " was read after the session was found gone");
    }
  }

  void check_nothing(const Read& read) {
    if (const auto known = floor_.before(read.when.start); known > 0 && first_delete_ > read.when.end) {
      report(Rule::lost_write, read.when, fmt::format("nothing was found where version {} was known", known));
    }
  }

  void report(Rule rule, const Interval& when, const std::string& what) {
    violations_->push_back(
        {rule, session_, fmt::format("session {}: {} ({} to {} ns)", session_, what, when.start, when.end)});
  }

  std::uint32_t session_;
  std::vector<Write> writes_;
  std::vector<Delete> deletes_;
  std::vector<Read> reads_;
  std::optional<Write> created_;

  std::vector<Violation>* violations_ = nullptr;
  Floor floor_;
  std::unordered_map<std::uint64_t, const Write*> by_number_;
  std::unordered_map<std::uint64_t, const Write*> done_by_version_;
  Time first_delete_ = never;
  Time logged_out_ = never;  ///< The end of the first acknowledged logout after it was created.
  Time found_gone_ = never;
};

/// All sessions of one user, and the calls that concern several of them.
class UserTracks {
 public:
  explicit UserTracks(const std::vector<const Call*>& calls) {
    for (const Call* call : calls) {
      const bool names_one = call->operation != Operation::delete_all && call->operation != Operation::get_all;
      if (names_one) tracks_.try_emplace(call->session, call->session);
    }
  }

  void add(const Call& call, bool may_be_lost, std::vector<Violation>& violations) {
    const Interval when{call.start, call.end, may_be_lost};
    switch (call.operation) {
      case Operation::create:
      case Operation::refresh:
        return add_write(call, when, violations);
      case Operation::delete_one:
        return track(call.session).add(Delete{when, is_done(call, when)});
      case Operation::delete_all:
      case Operation::delete_others:
        return add_delete_of_many(call, when);
      case Operation::get:
        if (call.outcome == Outcome::done) add_read(call, when);
        return;
      case Operation::get_all:
        if (call.outcome == Outcome::done) add_list(call, when, violations);
        return;
    }
  }

  void check(std::vector<Violation>& violations) {
    for (auto& [session, track] : tracks_) track.check(violations);
  }

 private:
  Track& track(std::uint32_t session) { return tracks_.at(session); }

  static bool is_done(const Call& call, const Interval& when) {
    return call.outcome == Outcome::done && !when.may_be_lost;
  }

  void add_write(const Call& call, const Interval& when, std::vector<Violation>& violations) {
    track(call.session)
        .add(Write{when, call.version, call.write, is_done(call, when), call.outcome == Outcome::expired,
                   call.outcome == Outcome::given_up},
             call.operation == Operation::create);
    if (call.outcome == Outcome::gone) track(call.session).add(Read{when});
    if (call.outcome != Outcome::conflict || call.seen.empty()) return;
    add_read(call, when);
    if (call.seen.front().named_write == call.write) {
      violations.push_back({Rule::conflict_with_self, call.session,
                            fmt::format("session {}: write {} was refused as a conflict with itself ({} to {} ns)",
                                        call.session, call.write, call.start, call.end)});
    }
  }

  void add_delete_of_many(const Call& call, const Interval& when) {
    for (auto& [session, track] : tracks_) {
      const bool kept = call.operation == Operation::delete_others && session == call.session;
      if (!kept) track.add(Delete{when, is_done(call, when)});
    }
  }

  void add_read(const Call& call, const Interval& when) {
    track(call.session).add(Read{when, call.seen.empty() ? std::nullopt : std::optional(call.seen.front())});
  }

  void add_list(const Call& call, const Interval& when, std::vector<Violation>& violations) {
    std::unordered_set<std::uint32_t> listed;
    for (const auto& seen : call.seen) {
      const auto found = tracks_.find(seen.session);
      if (found != tracks_.end() && listed.insert(seen.session).second) {
        found->second.add(Read{when, seen});
      } else {
        violations.push_back(
            {Rule::reply_of_another, seen.session,
             fmt::format("user {}: a list shows session {}, which is {} ({} to {} ns)", call.user, seen.session,
                         found == tracks_.end() ? "another user's" : "there twice", call.start, call.end)});
      }
    }
    for (auto& [session, track] : tracks_) {
      if (!listed.contains(session)) track.add(Read{when});
    }
  }

  std::map<std::uint32_t, Track> tracks_;
};

bool may_be_lost(const Call& call, const std::vector<LossWindow>& windows) {
  if (call.is_confirmed) return false;
  return std::ranges::any_of(
      windows, [&](const LossWindow& window) { return call.start <= window.to && window.from <= call.end; });
}

std::string_view name_of(Operation operation) {
  constexpr std::array<std::string_view, 7> names{"create",        "refresh", "delete_one", "delete_all",
                                                  "delete_others", "get",     "get_all"};
  return names.at(static_cast<std::size_t>(operation));
}

std::string_view name_of(Outcome outcome) {
  constexpr std::array<std::string_view, 6> names{"done", "conflict", "gone", "expired", "unknown", "given up"};
  return names.at(static_cast<std::size_t>(outcome));
}

/// Reads that did not find it say nothing of it.
bool tells_of(const Call& call, std::uint32_t session, std::uint32_t user) {
  if (call.session == session || std::ranges::find(call.seen, session, &Seen::session) != call.seen.end()) return true;
  return call.user == user && (call.operation == Operation::delete_all || call.operation == Operation::delete_others);
}

}  // namespace

std::string story_of(std::uint32_t session, const std::vector<Call>& calls) {
  const auto creation = std::ranges::find_if(
      calls, [&](const Call& call) { return call.operation == Operation::create && call.session == session; });
  if (creation == calls.end()) return {};
  std::vector<const Call*> told;
  for (const auto& call : calls) {
    const bool is_in_time = call.end >= creation->start && call.start <= creation->start + story_length;
    if (is_in_time && tells_of(call, session, creation->user)) told.push_back(&call);
  }
  std::ranges::sort(told, {}, &Call::start);
  std::string story;
  for (const Call* const call : told) {
    const auto seen = std::ranges::find(call->seen, session, &Seen::session);
    story += fmt::format("  {} to {} ns: {} of session {}, {}{}{}{}\n", call->start, call->end,
                         name_of(call->operation), call->session, name_of(call->outcome),
                         call->version > 0 ? fmt::format(", version {}", call->version) : "",
                         seen == call->seen.end() ? "" : fmt::format(", saw version {}", seen->version),
                         call->error.empty() ? "" : ": " + call->error);
  }
  return story;
}

std::vector<Violation> check(const std::vector<Call>& calls, const std::vector<LossWindow>& windows) {
  std::map<std::uint32_t, std::vector<const Call*>> by_user;
  for (const auto& call : calls) by_user[call.user].push_back(&call);
  std::vector<Violation> violations;
  for (const auto& [user, of_user] : by_user) {
    UserTracks tracks(of_user);
    for (const Call* call : of_user) tracks.add(*call, may_be_lost(*call, windows), violations);
    tracks.check(violations);
  }
  return violations;
}

}  // namespace obol::testing::history

// Every decision of the table: what is read, who is told what, and when.
#include "watch/watch_table.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace obol { inline namespace v0 { namespace {

using std::chrono::milliseconds;
using Status = WatchTable::Status;
using Lifetimes = std::vector<std::int64_t>;

class WatchTableTest : public ::testing::Test {
 protected:
  static constexpr WatchTable::NodeId node = 7;
  static constexpr WatchTable::NodeId other_node = 8;
  static constexpr std::int64_t hour = 3'600'000;

  WatchTable::Watched& watch(std::string id, std::string_view key = "user", WatchTable::NodeId at = node) {
    auto& watched = watches.emplace_back();
    watched.id = std::move(id);
    table.add(watched, key, at, now);
    return watched;
  }

  /// The ids that are asked for; none if nothing is.
  std::vector<std::string> read(WatchTable::NodeId at = node) {
    const auto read = table.next_read(at, now);
    return read ? std::vector<std::string>(read->ids.begin(), read->ids.end()) : std::vector<std::string>{};
  }

  bool answer(const Lifetimes& lifetimes, WatchTable::NodeId at = node) { return table.on_answer(at, lifetimes, now); }

  /// A watch of a session that has been found.
  WatchTable::Watched& settled(std::string id = "session", std::string_view key = "user", std::int64_t left = hour) {
    auto& watched = watch(std::move(id), key);
    read();
    answer(Lifetimes{left});
    return watched;
  }

  void alive() { table.on_alive(node, now, now); }
  void pass(milliseconds time) {
    now += time;
    table.on_time(now);
  }

  /// Until the table wants to be told the time, as often as it wants within that time.
  void pass_by_due(milliseconds time) {
    const auto end = now + time;
    while (table.next_due() && *table.next_due() <= end) {
      now = std::max(now, *table.next_due());
      table.on_time(now);
    }
    now = end;
  }

  std::vector<WatchTable::Watched*> changed() {
    std::vector<WatchTable::Watched*> changed;
    table.take_changed([&](WatchTable::Watched& watched) { changed.push_back(&watched); });
    return changed;
  }

  milliseconds max_staleness{1000};
  WatchTable::Time now{std::chrono::hours(1)};
  WatchTable table{max_staleness};
  std::deque<WatchTable::Watched> watches;
};

TEST_F(WatchTableTest, ReadsNothingBeforeTheNodeListens) {
  watch("session");
  EXPECT_TRUE(read().empty());
  table.on_listening(node, now);
  EXPECT_EQ(read(), std::vector<std::string>{"session"});
  EXPECT_TRUE(read().empty()) << "while the answer is awaited";
}

TEST_F(WatchTableTest, TellsNothingOfASessionThatIsFound) {
  table.on_listening(node, now);
  const auto& watched = settled();
  EXPECT_EQ(watched.status, Status::live);
  EXPECT_TRUE(changed().empty());
  EXPECT_TRUE(read().empty());
}

TEST_F(WatchTableTest, TellsOfASessionThatIsNotFound) {
  table.on_listening(node, now);
  auto& watched = settled("session", "user", WatchTable::not_there);
  EXPECT_EQ(changed(), std::vector{&watched});
  EXPECT_EQ(watched.status, Status::ended);
  EXPECT_FALSE(watched.has_expired);
  EXPECT_EQ(table.hashes(), 0U);
}

TEST_F(WatchTableTest, ReadsAgainAfterEachChange) {
  table.on_listening(node, now);
  auto& watched = settled();
  table.on_change(node, "user");
  EXPECT_EQ(read().size(), 1U);
  answer({hour});
  EXPECT_TRUE(read().empty());
  table.on_change(node, "user");
  EXPECT_EQ(read().size(), 1U);
  answer({WatchTable::not_there});
  EXPECT_EQ(changed(), std::vector{&watched});
}

// The answer that is on its way may be older than the change.
TEST_F(WatchTableTest, ReadsAgainAfterAChangeWhileTheAnswerIsAwaited) {
  table.on_listening(node, now);
  watch("session");
  read();
  table.on_change(node, "user");
  answer({hour});
  EXPECT_EQ(read().size(), 1U);
}

TEST_F(WatchTableTest, IgnoresChangesOfOthersAndFromOtherNodes) {
  table.on_listening(node, now);
  table.on_listening(other_node, now);
  settled();
  table.on_change(node, "stranger");
  table.on_change(other_node, "user");
  EXPECT_TRUE(read().empty());
}

TEST_F(WatchTableTest, ReadsAllAfterAFlush) {
  table.on_listening(node, now);
  settled("a", "one");
  settled("b", "two");
  table.on_flush(node);
  EXPECT_EQ(read().size(), 1U);
  EXPECT_EQ(read().size(), 1U);
  EXPECT_TRUE(answer({WatchTable::not_there}));
  EXPECT_TRUE(answer({WatchTable::not_there}));
  EXPECT_EQ(changed().size(), 2U);
}

// An answer to an earlier question does not know of a session that was stored since.
TEST_F(WatchTableTest, AnAnswerIsNotOfAWatchThatIsYounger) {
  table.on_listening(node, now);
  settled("old");
  table.on_change(node, "user");
  read();
  auto& young = watch("old");
  answer({WatchTable::not_there});
  EXPECT_EQ(young.status, Status::awaited);
  EXPECT_EQ(read(), std::vector<std::string>{"old"});
  answer({hour});
  EXPECT_EQ(young.status, Status::live);
}

TEST_F(WatchTableTest, AsksOnceForASessionWithSeveralWatches) {
  table.on_listening(node, now);
  watch("b");
  watch("a");
  watch("b");
  EXPECT_EQ(read(), (std::vector<std::string>{"a", "b"}));
  answer({hour, WatchTable::not_there});
  EXPECT_EQ(changed().size(), 2U);
  EXPECT_EQ(table.counts().watched, 1U);
}

TEST_F(WatchTableTest, ReadsManySessionsInPieces) {
  table.on_listening(node, now);
  const std::size_t sessions = 2 * WatchTable::most_ids_per_read + 1;
  for (std::size_t i = 0; i < sessions; ++i) watch(std::to_string(i));
  std::set<std::string> asked;
  for (auto ids = read(); !ids.empty(); ids = read()) {
    EXPECT_LE(ids.size(), WatchTable::most_ids_per_read);
    asked.insert(ids.begin(), ids.end());
    answer(Lifetimes(ids.size(), hour));
  }
  EXPECT_EQ(asked.size(), sessions);
  EXPECT_EQ(table.counts().reads, 1U);
}

TEST_F(WatchTableTest, AChangeBetweenTwoPiecesIsReadFromTheBeginning) {
  table.on_listening(node, now);
  for (std::size_t i = 0; i <= WatchTable::most_ids_per_read; ++i) watch(std::to_string(i));
  const auto first = read();
  answer(Lifetimes(first.size(), hour));
  table.on_change(node, "user");
  EXPECT_EQ(read().size(), 1U);
  answer({hour});
  EXPECT_EQ(read(), first);
}

TEST_F(WatchTableTest, NothingIsLeftOfAReadWhoseWatchesHaveGone) {
  table.on_listening(node, now);
  for (std::size_t i = 0; i <= WatchTable::most_ids_per_read; ++i) watch(std::to_string(i));
  const auto first = read();
  answer(Lifetimes(first.size(), hour));
  for (auto& watched : watches) {
    if (watched.id > first.back()) table.remove(watched);
  }
  EXPECT_TRUE(read().empty());
  table.on_change(node, "user");
  EXPECT_EQ(read(), first);
}

TEST_F(WatchTableTest, AKeyThatIsNoHashHoldsNoSession) {
  table.on_listening(node, now);
  const auto& watched = watch("session");
  const auto& other = watch("other");
  ASSERT_EQ(read().size(), 2U);
  EXPECT_TRUE(table.on_no_hash(node, now));
  EXPECT_EQ(watched.status, Status::ended);
  EXPECT_EQ(other.status, Status::ended);
  EXPECT_FALSE(table.on_no_hash(node, now));
  EXPECT_FALSE(table.on_no_hash(other_node, now));
}

TEST_F(WatchTableTest, RefusesAnAnswerToNothing) {
  table.on_listening(node, now);
  EXPECT_FALSE(answer({hour}));
  watch("session");
  read();
  EXPECT_FALSE(answer({hour, hour}));
  EXPECT_TRUE(answer({hour}));
}

TEST_F(WatchTableTest, ReadsWhenASessionShouldHaveExpired) {
  table.on_listening(node, now);
  auto& watched = settled("session", "user", 500);
  pass(milliseconds(400));
  alive();
  EXPECT_TRUE(read().empty());
  ASSERT_TRUE(table.next_due());
  EXPECT_LE(*table.next_due() - now, milliseconds(105));
  pass(milliseconds(110));
  EXPECT_EQ(read().size(), 1U);
  answer({WatchTable::not_there});
  EXPECT_EQ(changed(), std::vector{&watched});
  EXPECT_TRUE(watched.has_expired);
}

// A clock of a server that is behind, or one that was set back.
TEST_F(WatchTableTest, WaitsForASessionThatExpiresLaterThanItSaid) {
  table.on_listening(node, now);
  auto& watched = settled("session", "user", 0);
  for (int i = 0; i < 10; ++i) {
    pass(milliseconds(3));
    EXPECT_EQ(read().size(), 1U);
    answer({0});
  }
  EXPECT_EQ(watched.status, Status::live);
  EXPECT_TRUE(changed().empty());
}

TEST_F(WatchTableTest, LooksAtNoExpiryThatThereIsNot) {
  table.on_listening(node, now);
  settled("session", "user", WatchTable::never_expires);
  pass_by_due(milliseconds(999));
  EXPECT_TRUE(read().empty());
}

TEST_F(WatchTableTest, BelievesNoLifetimeThatOverflows) {
  table.on_listening(node, now);
  auto& watched = settled("session", "user", std::numeric_limits<std::int64_t>::max());
  EXPECT_GT(*watched.expires_at, now);
  table.on_change(node, "user");
  read();
  answer({std::numeric_limits<std::int64_t>::min()});
  EXPECT_EQ(watched.status, Status::live);
}

TEST_F(WatchTableTest, TellsUnknownOnceTheNodeHasBeenSilentForSoLong) {
  table.on_listening(node, now);
  auto& watched = settled();
  pass(max_staleness - milliseconds(1));
  EXPECT_TRUE(changed().empty());
  EXPECT_EQ(table.next_due(), now + milliseconds(1));
  pass(milliseconds(1));
  EXPECT_EQ(changed(), std::vector{&watched});
  EXPECT_EQ(watched.status, Status::unknown);
  EXPECT_EQ(table.counts().unknown, 1U);
  pass(max_staleness);
  EXPECT_TRUE(changed().empty());
  alive();
  EXPECT_EQ(changed(), std::vector{&watched});
  EXPECT_EQ(watched.status, Status::live);
  EXPECT_EQ(table.counts().unknown, 0U);
}

TEST_F(WatchTableTest, AnAnswerIsASignOfLife) {
  table.on_listening(node, now);
  settled("a", "one");
  pass(milliseconds(900));
  watch("b", "two");
  read();
  answer({hour});
  pass(milliseconds(200));
  EXPECT_TRUE(changed().empty());
}

// The question was sent too long ago.
TEST_F(WatchTableTest, ALateSignOfLifeDoesNotCount) {
  table.on_listening(node, now);
  settled();
  const auto asked_at = now;
  pass(max_staleness);
  changed();
  table.on_alive(node, asked_at, now);
  EXPECT_TRUE(changed().empty());
}

TEST_F(WatchTableTest, ALossThatIsMendedInTimeIsNotTold) {
  table.on_listening(node, now);
  auto& watched = settled();
  pass(milliseconds(300));
  alive();
  pass(milliseconds(300));
  table.on_lost(node);
  EXPECT_TRUE(read().empty());
  pass(milliseconds(600));
  table.on_listening(node, now);
  EXPECT_EQ(read().size(), 1U);
  answer({hour});
  EXPECT_TRUE(changed().empty());
  pass(max_staleness - milliseconds(1));
  EXPECT_TRUE(changed().empty());
  EXPECT_EQ(watched.status, Status::live);
}

TEST_F(WatchTableTest, ALossIsToldMaxStalenessAfterTheLastSignOfLife) {
  table.on_listening(node, now);
  auto& watched = settled();
  pass(milliseconds(300));
  alive();
  pass(milliseconds(300));
  table.on_lost(node);
  EXPECT_EQ(table.next_due(), now + milliseconds(700));
  pass(milliseconds(700));
  EXPECT_EQ(changed(), std::vector{&watched});
  EXPECT_EQ(watched.status, Status::unknown);
  table.on_listening(node, now);
  read();
  answer({hour});
  EXPECT_EQ(changed(), std::vector{&watched});
  EXPECT_EQ(watched.status, Status::live);
}

TEST_F(WatchTableTest, AnEndDuringALossIsToldAfterIt) {
  table.on_listening(node, now);
  auto& watched = settled();
  table.on_lost(node);
  pass(max_staleness);
  changed();
  table.on_listening(node, now);
  read();
  answer({WatchTable::not_there});
  EXPECT_EQ(changed(), std::vector{&watched});
  EXPECT_EQ(watched.status, Status::ended);
  EXPECT_EQ(table.counts().unknown, 0U);
}

TEST_F(WatchTableTest, AnswersOfALostConnectionAreForgotten) {
  table.on_listening(node, now);
  watch("session");
  read();
  table.on_lost(node);
  table.on_listening(node, now);
  EXPECT_FALSE(answer({hour}));
  EXPECT_EQ(read().size(), 1U);
}

TEST_F(WatchTableTest, AWatchThatIsNeverReadBecomesUnknown) {
  auto& watched = watch("session");
  pass(max_staleness - milliseconds(1));
  EXPECT_TRUE(changed().empty());
  pass(milliseconds(1));
  EXPECT_EQ(changed(), std::vector{&watched});
}

// A hash that changes all the time is confirmed by each answer.
TEST_F(WatchTableTest, ABusyHashIsNotUnknown) {
  table.on_listening(node, now);
  settled();
  for (int i = 0; i < 50; ++i) {
    table.on_change(node, "user");
    read();
    table.on_change(node, "user");
    pass(milliseconds(100));
    alive();
    answer({hour});
  }
  EXPECT_TRUE(changed().empty());
}

TEST_F(WatchTableTest, ARemovedWatchIsNotTold) {
  table.on_listening(node, now);
  auto& watched = settled();
  auto& unread = watch("other");
  read();
  table.remove(watched);
  table.remove(unread);
  EXPECT_TRUE(answer({WatchTable::not_there, WatchTable::not_there}));
  EXPECT_TRUE(changed().empty());
  EXPECT_EQ(table.hashes(), 0U);
  EXPECT_EQ(table.next_due(), std::nullopt);
}

TEST_F(WatchTableTest, AChangeIsForgottenWithItsWatch) {
  auto& watched = watch("session");
  pass(max_staleness);
  table.remove(watched);
  EXPECT_TRUE(changed().empty());
  EXPECT_EQ(table.counts().unknown, 0U);
}

TEST_F(WatchTableTest, AMovedHashIsReadAtItsNewNode) {
  table.on_listening(node, now);
  table.on_listening(other_node, now);
  watch("session");
  read();
  table.on_moved(node, other_node, true);
  EXPECT_TRUE(read(node).empty());
  const auto moved = table.next_read(other_node, now);
  ASSERT_TRUE(moved);
  EXPECT_TRUE(moved->asks);
  EXPECT_TRUE(answer({hour}, other_node));
  EXPECT_FALSE(table.has_hashes(node));
  table.on_change(other_node, "user");
  EXPECT_EQ(read(other_node).size(), 1U);
}

TEST_F(WatchTableTest, AHashThatIsSentInCirclesIsNobodys) {
  table.on_listening(node, now);
  table.on_listening(other_node, now);
  watch("session");
  for (int i = 0; i < 10 && !table.has_hashes(WatchTable::nobody); ++i) {
    const auto at = table.has_hashes(node) ? node : other_node;
    ASSERT_EQ(read(at).size(), 1U);
    table.on_moved(at, at == node ? other_node : node, false);
  }
  EXPECT_EQ(table.keys_of(WatchTable::nobody), std::vector<std::string>{"user"});
  table.assign("user", node);
  EXPECT_EQ(read(node).size(), 1U);
}

// Connections to the nodes of a cluster come and go as long as the process lives, each with a number of its own.
TEST_F(WatchTableTest, NothingIsKeptOfAnAbandonedNode) {
  for (WatchTable::NodeId at = node; at < node + 100; ++at) {
    table.on_listening(at, now);
    auto& watched = watch("session", "user " + std::to_string(at), at);
    watch("flying", "user " + std::to_string(at), at);
    read(at);
    table.abandon(at);
    EXPECT_EQ(table.nodes(), 0U);
    table.remove(watched);
  }
  EXPECT_TRUE(table.has_hashes(WatchTable::nobody));
  table.on_lost(node);
  table.on_change(node, "user 7");
  EXPECT_FALSE(answer(Lifetimes{hour}));
  table.assign("user 7", other_node);
  table.on_listening(other_node, now);
  EXPECT_EQ(read(other_node), std::vector<std::string>{"flying"});
}

TEST_F(WatchTableTest, AnAssignedHashIsReadAgain) {
  table.on_listening(node, now);
  table.on_listening(other_node, now);
  auto& watched = settled();
  table.assign("user", other_node);
  EXPECT_EQ(read(other_node).size(), 1U);
  EXPECT_TRUE(answer({WatchTable::not_there}, other_node));
  EXPECT_EQ(changed(), std::vector{&watched});
}

TEST_F(WatchTableTest, AnExpiryByAnotherClockIsOne) {
  table.on_listening(node, now);
  auto& watched = settled();
  table.note_expiry("user", "session", now);
  table.on_change(node, "user");
  read();
  answer({WatchTable::not_there});
  EXPECT_TRUE(watched.has_expired);
}

TEST_F(WatchTableTest, ClearsAll) {
  table.on_listening(node, now);
  settled("a", "one");
  watch("b", "two");
  read();
  watch("c", "three");
  table.clear();
  EXPECT_EQ(table.hashes(), 0U);
  EXPECT_EQ(table.counts().watched, 0U);
  EXPECT_EQ(table.next_due(), std::nullopt);
  for (auto& watched : watches) table.remove(watched);
}

/// Nodes that store sessions and move, lose and tell of them at random.
class RandomWalk {
 public:
  explicit RandomWalk(unsigned seed) : random_(seed) {}

  void run() {
    for (int step = 0; step < 3000; ++step) take(draw(16));
    settle();
  }

 private:
  static constexpr std::int64_t hour = 3'600'000;
  static constexpr int users = 6;
  static constexpr int ids = 4;
  static constexpr WatchTable::NodeId nodes = 2;

  struct Asked {
    WatchTable::NodeId node;
    std::string key;
    Lifetimes lifetimes;  ///< As they were when the node was asked.
    bool is_moved;
  };
  struct Connection {
    bool is_up = false;
    std::set<std::string> tracked;
    std::deque<Asked> answers;
    std::vector<std::string> told;
  };

  int draw(int sides) { return static_cast<int>(random_() % static_cast<unsigned>(sides)); }
  static std::string key_of(int user) { return "user " + std::to_string(user); }

  void take(int move) {
    now_ += milliseconds(draw(200));
    table_.on_time(now_);
    const auto key = key_of(draw(users));
    const auto id = std::to_string(draw(ids));
    const auto node = static_cast<WatchTable::NodeId>(draw(nodes));
    switch (move) {
      case 0:
      case 1:
        add(key, id);
        break;
      case 2:
        remove();
        break;
      case 3:
      case 4:
        stored_[key].insert(id);
        touch(key);
        break;
      case 5:
        stored_[key].erase(id);
        touch(key);
        break;
      case 6:
        lose(node);
        break;
      case 7:
        touch(key);
        home_[key] = node;
        break;
      case 8:
        if (connections_[node].is_up) table_.on_alive(node, now_, now_);
        break;
      default:
        progress(node);
    }
    check();
  }

  void add(const std::string& key, const std::string& id) {
    auto& watched = watches_.emplace_back();
    watched.id = id;
    keys_[&watched] = key;
    table_.add(watched, key, home_[key], now_);
  }

  void remove() {
    if (watches_.empty()) return;
    auto& watched = watches_[static_cast<std::size_t>(draw(static_cast<int>(watches_.size())))];
    table_.remove(watched);
    removed_.insert(&watched);
  }

  // What a server does at a change: it tells once who has read the key since.
  void touch(const std::string& key) {
    for (auto& [node, connection] : connections_) {
      if (connection.is_up && connection.tracked.erase(key) > 0) table_.on_change(node, key);
    }
  }

  void lose(WatchTable::NodeId node) {
    table_.on_lost(node);
    connections_[node] = {};
  }

  void progress(WatchTable::NodeId node) {
    auto& connection = connections_[node];
    if (!connection.is_up) {
      connection.is_up = true;
      table_.on_listening(node, now_);
    } else if (draw(2) == 0) {
      ask(node, connection);
    } else if (!connection.answers.empty()) {
      const auto asked = connection.answers.front();
      connection.answers.pop_front();
      if (asked.is_moved) {
        table_.on_moved(node, home_[asked.key], false);
      } else {
        ASSERT_TRUE(table_.on_answer(node, asked.lifetimes, now_));
      }
    }
    for (const auto& key : table_.keys_of(WatchTable::nobody)) table_.assign(key, home_[key]);
  }

  bool ask(WatchTable::NodeId node, Connection& connection) {
    const auto read = table_.next_read(node, now_);
    if (!read) return false;
    Asked asked{.node = node, .key = std::string(read->key), .lifetimes = {}, .is_moved = false};
    asked.is_moved = home_[asked.key] != node;
    for (const auto& id : read->ids) {
      asked.lifetimes.push_back(stored_[asked.key].contains(id) ? hour : WatchTable::not_there);
    }
    if (!asked.is_moved) connection.tracked.insert(asked.key);
    connection.answers.push_back(asked);
    return true;
  }

  void check() {
    table_.take_changed([&](WatchTable::Watched& watched) {
      EXPECT_FALSE(removed_.contains(&watched));
      const bool is_news = watched.status != Status::ended || ended_.insert(&watched).second;
      EXPECT_TRUE(is_news) << "told twice";
    });
  }

  // In the end everybody knows the truth.
  void settle() {
    for (int round = 0; round < 200; ++round) {
      for (WatchTable::NodeId node = 0; node < nodes; ++node) {
        progress(node);
        table_.on_alive(node, now_, now_);
        check();
      }
    }
    for (auto& watched : watches_) {
      if (removed_.contains(&watched) || watched.status == Status::ended) continue;
      EXPECT_TRUE(stored_[keys_[&watched]].contains(watched.id));
      EXPECT_EQ(watched.status, Status::live);
    }
  }

  std::mt19937 random_;
  WatchTable::Time now_{std::chrono::hours(1)};
  WatchTable table_{milliseconds(1000)};
  std::deque<WatchTable::Watched> watches_;
  std::map<const WatchTable::Watched*, std::string> keys_;
  std::map<std::string, std::set<std::string>> stored_;
  std::map<std::string, WatchTable::NodeId> home_;
  std::map<WatchTable::NodeId, Connection> connections_;
  std::set<const WatchTable::Watched*> removed_;
  std::set<const WatchTable::Watched*> ended_;
};

TEST(WatchTableWalk, EverybodyKnowsTheTruthInTheEnd) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    RandomWalk(seed).run();
    if (::testing::Test::HasFatalFailure()) return;
  }
}

}}}  // namespace obol::v0

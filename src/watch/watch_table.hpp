// What is known of watched sessions, and what must be read to know more: the decisions of SessionWatch.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace obol { inline namespace v0 {

/// Sessions are grouped by the hash that holds them, which is read as a whole and told of as a whole: a user's sessions
/// of one type. Servers ("nodes") are numbered by the owner. No clock, no lock, no I/O. Not thread-safe.
///
/// A hash is `settled` while its server would tell of every change. It is read when it has a new watch, has changed, a
/// session should have expired, or the connection is new. What was confirmed last counts for `max_staleness`.
///
/// Needs memory only where it says so: there it may throw std::bad_alloc, and has changed nothing.
class WatchTable {
 public:
  using Steady = std::chrono::steady_clock;
  using Time = Steady::time_point;
  using NodeId = std::uint32_t;
  /// For hashes whose server is not known.
  static constexpr NodeId nobody = ~NodeId{0};

  class Hash;

  enum class Status : std::uint8_t { awaited, live, unknown, ended };

  /// One watch. Its owner keeps it at one address until remove(), or until it has ended.
  struct Watched {
    std::string id;
    Hash* hash = nullptr;              ///< Null: it is not in a table (any more).
    std::uint64_t since = 0;           ///< The reads so far, when it was added.
    std::optional<Time> expires_at{};  ///< As far as is known; never later than it really does.
    Status status = Status::awaited;
    bool has_expired = false;  ///< How it ended.
    bool is_named = false;     ///< Among those that have changed.
  };

  /// What must be read: the lifetimes of these sessions of a hash.
  struct Read {
    std::string_view key;  ///< Good until the table is used again.
    std::span<const std::string> ids;
    bool asks = false;  ///< The node answers only after ASKING.
  };

  struct Counts {
    std::size_t watched = 0;
    std::size_t unknown = 0;
    std::uint64_t ended = 0;
    std::uint64_t reads = 0;
  };

  /// What a server says of a session that it does not have.
  static constexpr std::int64_t not_there = -2;
  /// ... that has no expiry.
  static constexpr std::int64_t never_expires = -1;
  static constexpr std::size_t most_ids_per_read = 200;

  explicit WatchTable(std::chrono::milliseconds max_staleness);
  ~WatchTable();
  WatchTable(const WatchTable&) = delete;
  WatchTable& operator=(const WatchTable&) = delete;

  /// Of a hash that is watched already the node is left as it is. Needs memory.
  void add(Watched& watched, std::string_view key, NodeId node, Time now);
  /// Does nothing if it has ended.
  void remove(Watched& watched) noexcept;
  /// Forgets all watches.
  void clear() noexcept;

  // What a node's connection tells, in its order.

  /// All hashes of the node must be read; from then on it tells of changes of those that were. Needs memory.
  void on_listening(NodeId id, Time now);
  void on_lost(NodeId id);
  /// The node has told of all changes up to then.
  void on_alive(NodeId id, Time then, Time now);
  void on_change(NodeId node, std::string_view key);
  void on_flush(NodeId id);

  /// The next read for the node; nothing if there is none, or it does not listen. Answers come in the same order.
  /// Needs memory.
  std::optional<Read> next_read(NodeId id, Time now);
  /// The answer: for each session the milliseconds that it has left, `not_there` or `never_expires`. False if it is no
  /// answer to what was read; then the connection is of no use any more.
  bool on_answer(NodeId id, std::span<const std::int64_t> lifetimes, Time now);
  /// Instead of an answer: the key holds something else than a hash, and so none of the sessions. Needs memory.
  bool on_no_hash(NodeId id, Time now);
  /// Instead of an answer: the hash is at another node, which wants ASKING if it `asks`. After too many moves in a row
  /// it is at `nobody`. Needs memory.
  void on_moved(NodeId id, NodeId to, bool asks);

  /// Where a hash is now; it is read there. Needs memory.
  void assign(std::string_view key, NodeId node);
  /// All hashes of the node are at `nobody`, and the node is forgotten.
  void abandon(NodeId id) noexcept;
  /// The keys of all hashes of a node. Needs memory.
  std::vector<std::string> keys_of(NodeId id) const;
  bool has_hashes(NodeId id) const;

  /// A session that will be found gone has expired, by a clock that is not ours.
  void note_expiry(std::string_view key, std::string_view id, Time now);

  /// When on_time() has something to do; nothing: only if something else happens before.
  std::optional<Time> next_due() const;
  void on_time(Time now);

  /// Gives each watch whose status has changed since the last call, as its handler must know it. Those that have ended
  /// are not in the table any more. `take` must not use the table.
  template <class Take>
  void take_changed(const Take& take) {
    for (auto* const watched : changed_) {
      watched->is_named = false;
      take(*watched);
    }
    changed_.clear();
  }

  Counts counts() const { return counts_; }
  std::size_t hashes() const { return index_.size(); }
  std::size_t nodes() const { return nodes_.size() - 1; }  ///< Without `nobody`.

 private:
  using Hashes = std::list<Hash>;
  using Watches = std::vector<Watched*>;
  using Dues = std::set<std::pair<Time, Hash*>>;
  struct Flight;
  struct Node;

  Hashes& list_of(const Hash& hash);
  void mark_changed(Hash& hash);
  void queue(Hash& hash);
  void settle(Hash& hash);
  bool fly(Node& node, Hash& hash, Time now);
  void finish_read(Hash& hash);
  void place_at(Hash& hash, NodeId node);
  void hear_from(Node& node, Time then, Time now);
  void take_lifetime(Hash& hash, const std::string& id, const Flight& flight, std::int64_t lifetime, Time now);
  Hash& hash_of(std::string_view key, NodeId node, Time now);
  Node* find(NodeId id);
  void name(Watched& watched) noexcept;
  void set_status(Watched& watched, Status status);
  void lose_sight_of(Hash& hash);
  void set_due(Hash& hash, std::optional<Time> due);
  Watches::iterator leave(Watched& watched) noexcept;
  void erase_if_unused(Hash& hash) noexcept;

  const std::chrono::milliseconds max_staleness_;
  std::unordered_map<std::string_view, Hash*> index_;  ///< The keys are in the hashes.
  std::unordered_map<NodeId, Node> nodes_;
  Dues due_;
  std::vector<Watched*> changed_;  ///< Has room for every watch.
  std::uint64_t reads_begun_ = 0;
  Counts counts_;
};

}}  // namespace obol::v0

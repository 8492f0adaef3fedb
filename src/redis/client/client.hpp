// Commands with everything around them: a pooled connection, one deadline, the functions in place, repeats.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "obol/error.hpp"
#include "obol/store_statistics.hpp"
#include "redis/client/client_options.hpp"
#include "redis/connection/connection_source.hpp"
#include "redis/connection/credentials_source.hpp"
#include "redis/connection/identifying_source.hpp"
#include "redis/core/call_machine.hpp"
#include "redis/core/deadline.hpp"
#include "redis/core/retry_budget.hpp"
#include "redis/core/server_clock.hpp"
#include "redis/pool/pool.hpp"
#include "redis/protocol/capability.hpp"
#include "redis/protocol/command.hpp"
#include "redis/protocol/function_library.hpp"
#include "redis/protocol/reply.hpp"
#include "redis/protocol/server_identity.hpp"
#include "redis/protocol/server_version.hpp"
#include "redis/topology/node.hpp"
#include "redis/topology/topology.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// What a look at one server gave.
struct Inspection {
  std::string endpoint;
  ServerVersion server{};
  bool is_exposed = false;   ///< Unencrypted, to another machine.
  bool is_role_told = true;  ///< Whether the server says that it is a primary.
  FunctionForm functions = FunctionForm::library;
  std::vector<Reply> replies{};
  std::optional<Error> error{};  ///< Why there is no more than the endpoint.
};

/// Thread-safe. Every command given to it must be one that may be sent twice.
class Client {
 public:
  /// Makes a harmless call of one of the functions out of a key that nothing is stored under.
  using MakeProbe = std::function<Command(std::string_view key)>;
  using MakeCommands = std::function<std::vector<Command>(std::string_view key)>;
  using MakeNeeds = std::function<std::vector<Capability>(std::string_view key)>;

  Client(const ClientOptions& options, FunctionLibrary functions);

  /// Opens the first connection and loads the functions, as scripts if that is asked for or if the server knows no
  /// functions. If this client may load none, it checks with a probe on every primary that can be reached that they are
  /// there; the same if the server is at maxmemory, which loads none. A server that Obol is not tested on is asked in
  /// the same send whether it has what is needed. Tries once.
  Result<void> start(std::string_view probe_key, const MakeProbe& make_probe, const MakeNeeds& make_needs);

  /// The reply, never an error reply, of the server that holds the key. Repeats, with growing jittered pauses, what was
  /// lost or cannot be served for now, until the deadline or until the retry budget is used up.
  /// With a reply, `answered_by` is set to the server's identity, if that was asked for (identifying_source()).
  Result<Reply> call(std::string_view key, const Command& command, Deadline deadline,
                     ServerIdentity* answered_by = nullptr);

  /// The same for a read that a replica may answer; the primary does where none can.
  Result<Reply> call_replica(std::string_view key, const Command& command, Deadline deadline,
                             ServerIdentity* answered_by = nullptr);

  /// The same as call for commands that belong together and to one slot: they go out in one send and are repeated
  /// together. Where they were repeated on another node after some had been run on the first, the last reply is 0: what
  /// a WAIT counted is true of one node only.
  Result<std::vector<Reply>> call_all(std::string_view key, std::span<const Command> commands, Deadline deadline,
                                      ServerIdentity* answered_by = nullptr);

  /// The same for commands that have nothing to do with each other, each with its key: one send for each server. In a
  /// cluster `answered_by` is left as it is.
  Result<std::vector<Reply>> call_many(std::span<const std::string> keys, std::span<const Command> commands,
                                       Deadline deadline, ServerIdentity* answered_by = nullptr);

  /// A write that expires at `expiry`. Servers drop in silence what expires in the past by their clock. So unless that
  /// clock is known to be well before, the command is made with `checks_clock` and TIME is asked behind it, in one
  /// send.
  struct Written {
    Reply reply;
    bool is_past = false;  ///< When it was answered, the server's clock had reached the expiry.
  };
  using MakeWrite = std::function<Command(bool checks_clock)>;
  Result<Written> write_until(std::string_view key, ServerClock::Expiry expiry, const MakeWrite& make,
                              Deadline deadline);

  /// Of the pools of all primaries there are now and their replicas.
  PoolStatistics pool_statistics();

  /// Sends commands, once and on one connection, to every primary; error replies included. The key of each is such
  /// that the server holds it. An error where none could be reached.
  Result<std::vector<Inspection>> inspect(std::string_view key, const MakeCommands& make_commands);

  /// Of the one primary that there is; not for a cluster.
  ConnectionSource& source() { return topology_->nodes().front()->source(); }

  /// The same; null unless the near cache is on.
  IdentifyingSource* identifying_source() { return identifying_source_.get(); }

  /// Loads the functions into a server over its pool, in the form that the node has, or as scripts if the server knows
  /// no functions. One caller at a time does so for each node, the others wait for what comes of it. Tells
  /// `on_functions_loaded` if the server had none.
  std::expected<void, CallFailure> load_functions_into(Node& node, Deadline deadline);

  // What another transport shares with this one. Handles of nodes keep no node alive: the client must.
  Topology& topology() { return *topology_; }
  CredentialsSource& credentials() { return *credentials_; }  ///< Who the client is to its servers.
  RetryBudget& budget() { return budget_; }
  const ConnectionCounts& counts() const { return counts_; }
  const CallRules& rules() const { return rules_; }
  const FunctionLibrary& functions() const { return functions_; }
  const Timeouts& timeouts() const { return timeouts_; }

  Deadline new_deadline() const { return Deadline::after(timeouts_.total); }

  /// From now on connections use these, in place of what the options say; living ones with the next command.
  void replace_credentials(UserCredentials credentials) { credentials_->replace(std::move(credentials)); }
  void replace_sentinel_credentials(UserCredentials credentials) {
    sentinel_credentials_->replace(std::move(credentials));
  }

  void close() { topology_->close(); }

 private:
  /// What came of an exchange; `answered_by` may be null.
  template <class Replies>
  struct Answer {
    Replies replies{};
    ServerIdentity* answered_by = nullptr;
  };

  /// `exchange`, given a node, sends the commands there and tells the machine what came of it.
  template <class Exchange>
  Result<void> run(std::string_view key, Deadline deadline, Exchange exchange);
  Deadline::Time::time_point begin(Deadline deadline);
  CallMachine::Action exchange(Node& node, CallMachine& machine, const Command& command, Deadline deadline,
                               Answer<Reply>& answer);
  CallMachine::Action exchange_together(Node& node, CallMachine& machine, std::span<const Command> commands,
                                        Deadline deadline, Answer<std::vector<Reply>>& answer);
  CallMachine::Action write(Node& node, CallMachine& machine, const Command& command, Deadline deadline,
                            Written& written);
  CallMachine::Action write_and_ask(Node& node, CallMachine& machine, ServerClock::Expiry expiry,
                                    const Command& command, Deadline deadline, Written& written);
  std::optional<Reply> ask_replica(std::string_view key, const Command& command, Deadline deadline);
  std::optional<std::vector<Reply>> try_together(Node& node, std::span<const Command> commands, Deadline deadline);
  Result<void> start_on(Node& node, const Command& probe, const std::function<std::vector<Capability>()>& make_needs,
                        Deadline deadline);
  /// As ask(); unless they are empty, what is needed goes in front, and is given up once it was shown.
  Result<std::vector<Reply>> ask_and_check(Node& node, Lease& lease, std::vector<Capability>& needed,
                                           std::span<const Command> commands, Deadline deadline) const;
  /// `ask_server`, given commands, brings their replies.
  template <class Ask>
  Result<void> load_into(Node& node, Ask ask_server) const;
  template <class Ask>
  Result<void> load_scripts_into(Node& node, Ask ask_server) const;
  Result<std::vector<Reply>> ask(Node& node, Lease& lease, std::span<const Command> commands, Deadline deadline) const;
  Result<void> take_loaded(Node& node, Result<bool> loaded) const;
  /// What is sent to a node in place of a command, if it is one for scripts; else nothing.
  std::optional<Command> script_for(const Node& node, const Command& command) const;
  Inspection inspect(Node& node, std::span<const Command> commands, Deadline deadline);

  const Timeouts timeouts_;
  const FunctionLoading loading_;
  const CallRules rules_;
  const FunctionLibrary functions_;
  const ClientEvents events_;
  RetryBudget budget_;
  ConnectionCounts counts_;
  const std::shared_ptr<CredentialsSource> credentials_;
  const std::shared_ptr<CredentialsSource> sentinel_credentials_;
  const std::shared_ptr<IdentifyingSource> identifying_source_;
  const std::unique_ptr<Topology> topology_;
};

}}}  // namespace obol::v0::redis

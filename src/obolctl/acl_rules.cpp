// Which command needs which right: the role's own commands, and those its functions call, which are checked, too.
#include "obolctl/acl_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "obolctl/stored_key.hpp"
#include "obolctl/text.hpp"

namespace obol::ctl {
namespace {

class Rules {
 public:
  void add(std::initializer_list<std::string_view> rules) {
    for (const auto rule : rules) {
      if (std::ranges::find(rules_, rule) == rules_.end()) rules_.emplace_back(rule);
    }
  }
  void add_if(bool condition, std::initializer_list<std::string_view> rules) {
    if (condition) add(rules);
  }
  std::vector<std::string> take() { return std::move(rules_); }

 private:
  std::vector<std::string> rules_;
};

/// As redis-cli reads a word: in quotes where it holds anything but letters that mean nothing to it.
std::string as_one_word(std::string_view word) {
  auto text = escaped(word);
  if (text == word && word.find_first_of(" '\"") == std::string_view::npos) return text;
  std::string quoted = "\"";
  for (const char letter : text) {
    if (letter == '"') quoted += '\\';
    quoted += letter;
  }
  return quoted + '"';
}

/// What calls functions.
void add_calls(Rules& rules, const AclOptions& options) {
  if (options.uses_scripts) {
    rules.add({"+evalsha", "+script|load"});
  } else {
    rules.add({"+fcall"});
  }
}

}  // namespace

std::vector<Role> roles_for(const AclOptions& options) {
  if (options.uses_scripts) return {Role::web, Role::operation};
  return {Role::web, Role::deploy, Role::operation};
}

std::string_view name_of(Role role) {
  switch (role) {
    case Role::web:
      return "web";
    case Role::deploy:
      return "deploy";
    case Role::operation:
      break;
  }
  return "operator";
}

std::vector<std::string> acl_rules(Role role, const AclOptions& options) {
  Rules rules;
  if (role != Role::deploy) rules.add({fmt::format("~{}*", glob_escaped(options.prefix))});
  rules.add({"-@all"});
  switch (role) {
    case Role::web:
      rules.add({"+hget", "+hgetall", "+hsetex", "+hdel", "+hkeys", "+hlen", "+hpexpiretime", "+unlink"});
      add_calls(rules, options);
      rules.add({"+time", "+echo"});
      rules.add_if(options.has_max_sessions, {"+hscan"});
      rules.add_if(options.has_revocation_marks, {"+get", "+set"});
      rules.add_if(options.has_durability, {"+set", "+wait"});
      rules.add_if(options.has_near_cache, {"+client|tracking", "+info"});
      rules.add_if(options.has_session_watch, {"+client|tracking", "+hpttl"});
      rules.add_if(options.has_replica_reads, {"+info"});
      rules.add_if(options.has_replica_reads && options.has_cluster, {"+readonly"});
      rules.add_if(options.has_cluster, {"+asking"});
      rules.add_if(options.has_diagnosis, {"+info", "+config|get"});
      rules.add_if(options.loads_functions && !options.uses_scripts, {"+function|load"});
      break;
    case Role::deploy:
      rules.add({"+function|load", "+echo"});
      break;
    case Role::operation:
      rules.add({"+hget", "+hkeys", "+hlen", "+hgetall", "+hsetex", "+hdel", "+hpexpiretime", "+unlink"});
      add_calls(rules, options);
      rules.add({"+time", "+echo", "+scan", "+get", "+pexpiretime", "+set", "+wait", "+memory|usage", "+info",
                 "+config|get"});
      rules.add_if(!options.uses_scripts, {"+function|load", "+function|list", "+function|delete"});
      break;
  }
  rules.add_if(options.has_cluster, {"+cluster|slots"});
  rules.add_if(options.database > 0, {"+select"});
  return rules.take();
}

std::string acl_command(Role role, const AclOptions& options) {
  std::string command("ACL SETUSER ");
  command.append(name_of(role)).append(" on >PASSWORD");
  for (const auto& rule : acl_rules(role, options)) command.append(" ").append(as_one_word(rule));
  return command;
}

}  // namespace obol::ctl

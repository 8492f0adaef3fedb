// obolctl acl: prints the rules, and asks no server.
#include <fmt/format.h>

#include "obolctl/commands.hpp"
#include "obolctl/json.hpp"

namespace obol::ctl {

Result<ExitCode> acl(const Context& context, AclOptions options) {
  options.prefix = context.common.prefix;
  options.uses_scripts = context.common.uses_scripts;
  for (const Role role : roles_for(options)) {
    if (context.common.is_json) {
      Json object;
      object["role"] = name_of(role);
      auto& rules = object["rules"] = Json::array();
      for (const auto& rule : acl_rules(role, options)) {
        Json word;
        add_bytes(word, "rule", rule);
        rules.push_back(std::move(word));
      }
      object["command"] = acl_command(role, options);
      print_json(object);
    } else {
      fmt::print("{}\n", acl_command(role, options));
    }
  }
  return ExitCode::done;
}

}  // namespace obol::ctl

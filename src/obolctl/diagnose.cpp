// obolctl diagnose: looks at every primary and changes nothing.
#include <fmt/format.h>

#include "obolctl/commands.hpp"
#include "obolctl/json.hpp"
#include "obolctl/server.hpp"
#include "obolctl/text.hpp"
#include "store/diagnosis.hpp"
#include "store/session_commands.hpp"

namespace obol::ctl {

Result<ExitCode> diagnose(const Context& context) {
  const auto options = read_options(context.common, context.environment);
  if (!options) return std::unexpected(options.error());
  const auto server = Server::connect(*options);
  if (!server) return std::unexpected(server.error());
  bool has_problem = false;
  Table table({"SERVER", "SEVERITY", "TOPIC", "FINDING"});
  for (const auto& primary : server->primaries()) {
    const auto inspection =
        primary->inspect(diagnosis_commands(server->key_at(*primary, probe_key(options->key_prefix))));
    if (!inspection) return std::unexpected(inspection.error());
    for (const auto& finding : v0::diagnose(*inspection, *options, options->clock())) {
      has_problem |= finding.severity == Severity::problem;
      if (context.common.is_json) {
        print_json(Json{{"server", primary->endpoint()},
                        {"severity", to_string(finding.severity)},
                        {"topic", finding.topic},
                        {"message", finding.message}});
      } else {
        table.add({escaped(primary->endpoint()), std::string(to_string(finding.severity)), std::string(finding.topic),
                   escaped(finding.message)});
      }
    }
  }
  if (!context.common.is_json) fmt::print("{}", table.text());
  return has_problem ? ExitCode::negative : ExitCode::done;
}

}  // namespace obol::ctl

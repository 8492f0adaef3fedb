// obolctl functions: the function libraries of Obol's releases on every primary.
#include <fmt/format.h>

#include <algorithm>

#include "obolctl/commands.hpp"
#include "obolctl/confirmation.hpp"
#include "obolctl/json.hpp"
#include "obolctl/server.hpp"
#include "obolctl/text.hpp"
#include "store/session_commands.hpp"
#include "values/refusal.hpp"

namespace obol::ctl {
namespace {

/// "obol_" and 16 hexadecimal digits: a library of some release of Obol, and nobody else's.
bool is_ours(std::string_view name) {
  constexpr std::string_view beginning = "obol_";
  if (!name.starts_with(beginning) || name.size() != beginning.size() + 16) return false;
  return name.find_first_not_of("0123456789abcdef", beginning.size()) == std::string_view::npos;
}

struct Library {
  std::string name;
  std::size_t functions = 0;
};

Result<std::vector<Library>> libraries_of(Primary& primary) {
  const auto reply = primary.call({"FUNCTION", "LIST", "LIBRARYNAME", "obol_*"});
  if (!reply) return std::unexpected(reply.error());
  std::vector<Library> libraries;
  for (const auto& entry : reply->elements) {
    const auto* name = entry.find("library_name");
    const auto* functions = entry.find("functions");
    if (name == nullptr || functions == nullptr || !is_ours(name->text)) continue;
    libraries.push_back({.name = std::string(name->text), .functions = functions->elements.size()});
  }
  std::ranges::sort(libraries, {}, &Library::name);
  return libraries;
}

Result<Server> connect(const Context& context) {
  const auto options = read_options(context.common, context.environment);
  if (!options) return std::unexpected(options.error());
  if (context.common.uses_scripts) {
    return refuse("--scripts is given, and scripts have no libraries: every host loads the scripts that it calls");
  }
  return Server::connect(*options);
}

void tell(const Context& context, const std::string& endpoint, std::string_view library, std::string_view outcome) {
  if (context.common.is_json) {
    print_json(Json{{"server", endpoint}, {"library", library}, {"outcome", outcome}});
  } else {
    fmt::print("{} {} on {}\n", outcome, library, escaped(endpoint));
  }
}

Result<bool> load(Primary& primary) {
  const auto functions = session_functions();
  const auto command = functions.load_command();
  const auto inspection = primary.inspect({&command, 1});
  if (!inspection) return std::unexpected(inspection.error());
  return functions.load_result(inspection->replies.front());
}

}  // namespace

Result<ExitCode> load_functions(const Context& context) {
  const auto server = connect(context);
  if (!server) return std::unexpected(server.error());
  for (const auto& primary : server->primaries()) {
    const auto loaded = load(*primary);
    if (!loaded) return std::unexpected(loaded.error());
    tell(context, primary->endpoint(), session_functions().name, *loaded ? "loaded" : "already loaded");
  }
  return ExitCode::done;
}

Result<ExitCode> list_functions(const Context& context) {
  const auto server = connect(context);
  if (!server) return std::unexpected(server.error());
  Table table({"SERVER", "LIBRARY", "FUNCTIONS", "RELEASE"});
  bool has_own = true;
  for (const auto& primary : server->primaries()) {
    const auto libraries = libraries_of(*primary);
    if (!libraries) return std::unexpected(libraries.error());
    has_own &= std::ranges::find(*libraries, session_functions().name, &Library::name) != libraries->end();
    for (const auto& library : *libraries) {
      const bool is_own = library.name == session_functions().name;
      if (context.common.is_json) {
        print_json(Json{{"server", primary->endpoint()},
                        {"library", library.name},
                        {"functions", library.functions},
                        {"this_release", is_own}});
      } else {
        table.add({escaped(primary->endpoint()), library.name, std::to_string(library.functions),
                   is_own ? "this" : "another"});
      }
    }
  }
  if (!context.common.is_json) fmt::print("{}", table.text());
  return has_own ? ExitCode::done : ExitCode::negative;
}

Result<ExitCode> prune_functions(const Context& context, const PruneArguments& arguments) {
  const auto server = connect(context);
  if (!server) return std::unexpected(server.error());
  std::vector<std::pair<Primary*, std::string>> others;
  for (const auto& primary : server->primaries()) {
    const auto libraries = libraries_of(*primary);
    if (!libraries) return std::unexpected(libraries.error());
    for (const auto& library : *libraries) {
      if (library.name != session_functions().name) others.emplace_back(primary.get(), library.name);
    }
  }
  if (others.empty()) {
    fmt::print(stderr, "obolctl: there are no functions of other releases\n");
    return ExitCode::done;
  }
  if (!arguments.is_dry_run) {
    const auto confirmed =
        confirm(fmt::format("Remove the functions of {}? Hosts that still run it and may not load them fail then.",
                            counted(others.size(), "other release")),
                arguments.is_confirmed);
    if (!confirmed) return std::unexpected(confirmed.error());
    if (!*confirmed) return ExitCode::negative;
  }
  for (const auto& [primary, name] : others) {
    if (!arguments.is_dry_run) {
      const auto deleted = primary->call({"FUNCTION", "DELETE", name});
      if (!deleted) return std::unexpected(deleted.error());
    }
    tell(context, primary->endpoint(), name, arguments.is_dry_run ? "would remove" : "removed");
  }
  return ExitCode::done;
}

}  // namespace obol::ctl

// A small API server with bearer tokens. This process keeps the accounts, Obol the sessions.
// Usage: obol_api_server (--redis URI | --memory) [--listen host:port] [--certificate FILE --key FILE]
#include <utility>

#include "api.hpp"
#include "process.hpp"

int main(int argument_count, char** arguments) {
  using namespace example;
  return run_host({.name = "API server", .session_type = "api"}, argument_count, arguments,
                  [](const Options& options, OpenSessions opened) {
                    api_server::Api api(std::move(opened.manager));
                    return serve(api_server::make_server(options, api), options, "API server", opened.kept_in);
                  });
}

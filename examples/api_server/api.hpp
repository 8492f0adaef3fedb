// An API over JSON: accounts, logins with bearer tokens, and what needs one.
#pragma once

#include <utility>

#include "accounts.hpp"
#include "http_server.hpp"
#include "httplib.h"
#include "obol/session_manager.hpp"

namespace example::api_server {

/// The objects that all routes use.
struct Api {
  explicit Api(obol::SessionManager manager) : sessions(std::move(manager)) {}

  obol::SessionManager sessions;
  Accounts accounts{};
};

/// Makes a server that answers all routes, or returns why it cannot. The API must outlive it.
MadeServer make_server(const Options& options, Api& api);

}  // namespace example::api_server

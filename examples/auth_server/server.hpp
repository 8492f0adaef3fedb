// The HTTP server: its routes, and the headers of every answer.
#pragma once

#include "http_server.hpp"
#include "site.hpp"

namespace example::auth_server {

/// Makes a server that answers all routes, or returns why it cannot. The site must outlive it.
MadeServer make_server(const Options& options, Site& site);

}  // namespace example::auth_server

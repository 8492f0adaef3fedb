// The HTTP server: TLS, limits, and the headers of every answer.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "httplib.h"
#include "options.hpp"
#include "site.hpp"

namespace auth_server {

/// Makes a server that answers all routes, or returns why it cannot. The site must outlive it.
std::expected<std::unique_ptr<httplib::Server>, std::string> make_server(const Options& options, Site& site);

}  // namespace auth_server

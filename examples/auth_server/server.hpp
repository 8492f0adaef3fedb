// The HTTP server: TLS, limits, and the headers that every answer carries.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "httplib.h"
#include "options.hpp"
#include "site.hpp"

namespace auth_server {

/// A server that answers all routes, or why there is none. The site must outlive it.
std::expected<std::unique_ptr<httplib::Server>, std::string> make_server(const Options& options, Site& site);

}  // namespace auth_server

// The addresses of this server.
#pragma once

#include "httplib.h"
#include "site.hpp"

namespace example::auth_server {

/// /login, /signup, /logout
void add_login_routes(httplib::Server& server, Site& site);

/// /devices, /devices/logout, /devices/logout-others, /password, /events
void add_account_routes(httplib::Server& server, Site& site);

}  // namespace example::auth_server

// The objects that all routes use, made once by main.
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "accounts.hpp"
#include "cookies.hpp"
#include "obol/session_manager.hpp"

namespace example::auth_server {

struct Site {
  Site(obol::SessionManager manager, bool over_tls, std::string kept)
      : sessions(std::move(manager)), cookies(over_tls), is_over_tls(over_tls), kept_in(std::move(kept)) {}

  std::chrono::sys_seconds now() const { return std::chrono::floor<std::chrono::seconds>(sessions.options().clock()); }

  obol::SessionManager sessions;
  Accounts accounts;
  Cookies cookies;
  bool is_over_tls;
  std::string kept_in;  ///< For the pages: the store's name.
};

}  // namespace example::auth_server

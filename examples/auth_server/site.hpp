// The objects that all routes use, made once by main.
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "accounts.hpp"
#include "cookies.hpp"
#include "event_streams.hpp"
#include "obol/keyring.hpp"
#include "obol/session_manager.hpp"
#include "obol/session_watch.hpp"

namespace example::auth_server {

struct Site {
  Site(obol::SessionManager manager, obol::SessionWatch watch, obol::Keyring ring, bool over_tls, std::string kept)
      : sessions(std::move(manager)),
        streams(std::move(watch)),
        keyring(std::move(ring)),
        cookies(over_tls),
        is_over_tls(over_tls),
        kept_in(std::move(kept)) {}

  std::chrono::sys_seconds now() const { return std::chrono::floor<std::chrono::seconds>(sessions.options().clock()); }

  obol::SessionManager sessions;
  EventStreams streams;
  obol::Keyring keyring;  ///< For the cookie of a known device.
  Accounts accounts;
  Cookies cookies;
  bool is_over_tls;
  std::string kept_in;  ///< For the pages: the store's name.
};

}  // namespace example::auth_server

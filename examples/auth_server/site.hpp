// The objects that all routes use, made once by main.
#pragma once

#include <string>
#include <utility>

#include "cookies.hpp"
#include "login_throttle.hpp"
#include "obol/keyring.hpp"
#include "passwords.hpp"
#include "sessions.hpp"
#include "users.hpp"

namespace auth_server {

struct Site {
  Site(obol::SessionStore& store, obol::Keyring ring, SessionLifetimes lifetimes, bool over_tls, std::string kept)
      : keyring(std::move(ring)),
        sessions(store, keyring, lifetimes),
        cookies(over_tls),
        is_over_tls(over_tls),
        kept_in(std::move(kept)) {}

  obol::Keyring keyring;
  Sessions sessions;
  Users users;
  PasswordHasher passwords;
  LoginThrottle throttle;
  Cookies cookies;
  bool is_over_tls;
  std::string kept_in;  ///< For the pages: the store's name.
};

}  // namespace auth_server

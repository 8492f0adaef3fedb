// Opens the session store.
#pragma once

#include <memory>
#include <string>

#include "obol/keyring.hpp"
#include "obol/session_store.hpp"

namespace auth_server {

struct OpenStore {
  std::unique_ptr<obol::SessionStore> store{};
  std::string kept_in{};  ///< "Redis 8.0.6", for the pages.
};

/// Opens the store at this address, or one in this process if it is empty. Findings about the server go to stderr.
obol::Result<OpenStore> open_store(const std::string& redis_uri, const obol::Keyring& keyring);

}  // namespace auth_server

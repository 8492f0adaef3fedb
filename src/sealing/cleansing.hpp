// Overwrites the secrets of sessions that are dropped.
#pragma once

#include <string>

#include "obol/session.hpp"
#include "sealing/hmac.hpp"

namespace obol { inline namespace v0 {

/// What an encrypted session hides from whoever reads the server. The strings keep their length.
inline void cleanse(Session& session) noexcept {
  for (std::string* const secret : {&session.refresh_token_id, &session.extra_payload}) {
    sealing::cleanse(secret->data(), secret->size());
  }
}

}}  // namespace obol::v0

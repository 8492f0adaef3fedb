// Overwrites the secrets of sessions that are dropped.
#pragma once

#include <string>

#include "obol/encryption.hpp"
#include "obol/session.hpp"
#include "sealing/hmac.hpp"

namespace obol { inline namespace v0 {

/// What an encrypted session hides from whoever reads the server. The strings keep their length.
inline void cleanse(Session& session) noexcept {
  for (std::string* const secret : {&session.refresh_token_id, &session.extra_payload}) {
    sealing::cleanse(secret->data(), secret->size());
  }
}

/// Does so at the end of a scope, if sessions are encrypted.
class Cleansing {
 public:
  Cleansing(Session& session, Encryption encryption) : session_(encryption == Encryption::off ? nullptr : &session) {}
  ~Cleansing() {
    if (session_ != nullptr) cleanse(*session_);
  }
  Cleansing(const Cleansing&) = delete;
  Cleansing& operator=(const Cleansing&) = delete;

 private:
  Session* session_;
};

}}  // namespace obol::v0

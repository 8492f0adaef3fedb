// What is told of one session: nothing that is not verified but where and how it stands.
#pragma once

#include <string>

#include "obolctl/json.hpp"
#include "obolctl/stored_sessions.hpp"

namespace obol::ctl {

struct SessionFacts {
  StoredSession stored;
  Judgement judgement;

  /// "-" where it is not known.
  std::string created_text() const;
  std::string refreshed_text() const;
  std::string expires_text() const;

  /// Without payload and refresh token id.
  Json json() const;
};

}  // namespace obol::ctl

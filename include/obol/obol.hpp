// All of Obol in one include.
#pragma once

#include "obol/clock.hpp"             // IWYU pragma: export
#include "obol/error.hpp"             // IWYU pragma: export
#include "obol/finding.hpp"           // IWYU pragma: export
#include "obol/fork_safe_mutex.hpp"   // IWYU pragma: export
#include "obol/keyring.hpp"           // IWYU pragma: export
#include "obol/memory_store.hpp"      // IWYU pragma: export
#include "obol/observer.hpp"          // IWYU pragma: export
#include "obol/observer_list.hpp"     // IWYU pragma: export
#include "obol/payload.hpp"           // IWYU pragma: export
#include "obol/redis_options.hpp"     // IWYU pragma: export
#include "obol/redis_store.hpp"       // IWYU pragma: export
#include "obol/session.hpp"           // IWYU pragma: export
#include "obol/session_id.hpp"        // IWYU pragma: export
#include "obol/session_limits.hpp"    // IWYU pragma: export
#include "obol/session_policy.hpp"    // IWYU pragma: export
#include "obol/session_store.hpp"     // IWYU pragma: export
#include "obol/session_token.hpp"     // IWYU pragma: export
#include "obol/store_statistics.hpp"  // IWYU pragma: export
#include "obol/user_credentials.hpp"  // IWYU pragma: export
#include "obol/version.hpp"           // IWYU pragma: export

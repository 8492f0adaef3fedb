// All of Obol in one include.
#pragma once

#if __cplusplus < 202100L
#error "Obol needs C++23: compile with -std=c++23, or link the CMake target obol::obol, which sets it"
#endif

#include "obol/async_call.hpp"                // IWYU pragma: export
#include "obol/async_over.hpp"                // IWYU pragma: export
#include "obol/async_redis_store.hpp"         // IWYU pragma: export
#include "obol/async_session_manager.hpp"     // IWYU pragma: export
#include "obol/async_session_store.hpp"       // IWYU pragma: export
#include "obol/background_driver.hpp"         // IWYU pragma: export
#include "obol/call_event.hpp"                // IWYU pragma: export
#include "obol/clock.hpp"                     // IWYU pragma: export
#include "obol/connection_options.hpp"        // IWYU pragma: export
#include "obol/encryption.hpp"                // IWYU pragma: export
#include "obol/error.hpp"                     // IWYU pragma: export
#include "obol/executor.hpp"                  // IWYU pragma: export
#include "obol/finding.hpp"                   // IWYU pragma: export
#include "obol/fork_safe_mutex.hpp"           // IWYU pragma: export
#include "obol/function_loading.hpp"          // IWYU pragma: export
#include "obol/handler_turn.hpp"              // IWYU pragma: export
#include "obol/keyring.hpp"                   // IWYU pragma: export
#include "obol/memory_store.hpp"              // IWYU pragma: export
#include "obol/near_cache_options.hpp"        // IWYU pragma: export
#include "obol/observer.hpp"                  // IWYU pragma: export
#include "obol/observer_list.hpp"             // IWYU pragma: export
#include "obol/payload.hpp"                   // IWYU pragma: export
#include "obol/pool_options.hpp"              // IWYU pragma: export
#include "obol/redis_store.hpp"               // IWYU pragma: export
#include "obol/redis_store_options.hpp"       // IWYU pragma: export
#include "obol/replica_reads.hpp"             // IWYU pragma: export
#include "obol/server_address.hpp"            // IWYU pragma: export
#include "obol/session.hpp"                   // IWYU pragma: export
#include "obol/session_id.hpp"                // IWYU pragma: export
#include "obol/session_limits.hpp"            // IWYU pragma: export
#include "obol/session_manager.hpp"           // IWYU pragma: export
#include "obol/session_policy.hpp"            // IWYU pragma: export
#include "obol/session_store.hpp"             // IWYU pragma: export
#include "obol/session_token.hpp"             // IWYU pragma: export
#include "obol/session_watch.hpp"             // IWYU pragma: export
#include "obol/session_watch_statistics.hpp"  // IWYU pragma: export
#include "obol/store_statistics.hpp"          // IWYU pragma: export
#include "obol/timeouts.hpp"                  // IWYU pragma: export
#include "obol/tls_options.hpp"               // IWYU pragma: export
#include "obol/user_credentials.hpp"          // IWYU pragma: export
#include "obol/verification_failure.hpp"      // IWYU pragma: export
#include "obol/version.hpp"                   // IWYU pragma: export

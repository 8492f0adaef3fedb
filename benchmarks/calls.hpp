// What is measured: each call of the store, and the same work on a bare hiredis connection for each thread.
#pragma once

#include "load.hpp"
#include "redis/protocol/function_library.hpp"
#include "world.hpp"

namespace obol::benchmark {

/// About what is stored for make_session.
inline constexpr std::size_t sealed_bytes = 471;

/// A session that nobody has created; `number` counts from a caller's first_number() on.
Session new_session(World& world, std::size_t caller, std::size_t number);
/// Another one for each caller, so that nobody creates what another has created.
std::size_t first_number();

/// Limits: the bare command, neither verified nor decoded.
MakeCall bare_get(World& world);
MakeCall bare_get_all(World& world);
/// So many commands in one send, then their replies; one call is all of them.
MakeCall bare_get_pipelined(World& world, std::size_t depth);
/// The same, but each session is verified and decoded by hand: what Obol does without a pool, deadlines or retries.
MakeCall verified_get(World& world, std::size_t depth);
/// The command that Obol's create sends.
MakeCall bare_create(World& world);
/// The same and HDEL of that session; two round trips.
MakeCall bare_create_and_delete(World& world);
/// Obol's own function, sent by hand, or the script in its place.
MakeCall bare_update(World& world);
MakeCall bare_update_pipelined(World& world, std::size_t depth,
                               redis::FunctionForm form = redis::FunctionForm::library);
/// HGET of a session, then the function that updates it; two round trips.
MakeCall bare_get_and_update(World& world);
/// A function that reads a lock, compares it, and stores lock and session as two fields: as Charon does both.
MakeCall charon_create(World& world);
MakeCall charon_update_pipelined(World& world, std::size_t depth);

MakeCall obol_get(World& world);
MakeCall obol_get_all(World& world);
MakeCall obol_get_many(World& world, std::size_t keys);
MakeCall obol_create(World& world);
MakeCall obol_create_and_delete(World& world);
MakeCall obol_update(World& world);
MakeCall obol_get_and_update(World& world);

}  // namespace obol::benchmark

// Uses a header-only part, a compiled part and the redis part of an installed Obol.
#include <obol/obol.hpp>

int main() {
  obol::MemoryStore store;
  const auto id = obol::generate_session_id();
  const auto unreachable = obol::RedisStore::connect({});
  const bool refused = !unreachable && unreachable.error().code == obol::ErrorCode::invalid_argument;
  return id && refused && store.get({.user_id = "user", .id = *id}) ? 0 : 1;
}

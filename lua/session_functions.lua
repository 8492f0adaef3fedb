#!lua name=obol_@OBOL_FUNCTIONS_HASH@
-- Obol's compare-and-set and "log out my other devices", run inside the server.
-- A sealed session begins with its lock version in 8 bytes; versions are compared as bytes, since a Lua number is exact
-- only up to 2^53. TIME stands still within a call, so what HGET finds cannot expire before HSETEX replaces it.

-- KEYS[1] the user's sessions; ARGV: session id, lock version to replace, sealed session, expiry in Unix milliseconds.
-- Returns 1 stored (or these very bytes stand already: a repeated call), the stored session on a conflict, nil if gone.
local function update(keys, args)
  local stored = redis.call('HGET', keys[1], args[1])
  if not stored then
    return nil
  end
  if stored == args[3] then
    return 1
  end
  if string.sub(stored, 1, 8) ~= args[2] then
    return stored
  end
  redis.call('HSETEX', keys[1], 'FXX', 'PXAT', args[4], 'FIELDS', '1', args[1], args[3])
  return 1
end

-- KEYS[1] the user's sessions; ARGV: the session id to keep. Returns how many were deleted.
-- One field a command: Redis and Valkey differ on commands that name live and expired fields together.
local function delete_others(keys, args)
  local deleted = 0
  for _, id in ipairs(redis.call('HKEYS', keys[1])) do
    if id ~= args[1] then
      deleted = deleted + redis.call('HDEL', keys[1], id)
    end
  end
  return deleted
end

redis.register_function('obol_update_@OBOL_FUNCTIONS_HASH@', update)
redis.register_function{
  function_name = 'obol_delete_others_@OBOL_FUNCTIONS_HASH@',
  callback = delete_others,
  flags = {'allow-oom'},
}

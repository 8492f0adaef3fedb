#!lua name=obol_@OBOL_FUNCTIONS_HASH@
-- What Obol does inside the server: all that must be one step and is more than one command.
-- A sealed session begins with its lock version in 8 bytes; versions are compared as bytes, since a Lua number is exact
-- only up to 2^53. TIME stands still within a call, so what HGET finds cannot expire before HSETEX replaces it.

-- While a library is loaded, `string` has no name yet.
local sub = ('').sub

-- KEYS[1] the user's sessions; ARGV: session id, lock version to replace, sealed session, expiry in Unix milliseconds.
-- Returns 1 stored (or these very bytes stand already: a repeated call), the stored session on a conflict, nil if gone.
-- The one function that hosts call all the time, so it looks nothing up twice and asks for no FXX, which HGET has shown.
local function update(keys, args)
  local call, key, id, sealed = redis.call, keys[1], args[1], args[3]
  local stored = call('HGET', key, id)
  if not stored then
    return nil
  end
  if sub(stored, 1, 8) == args[2] then
    call('HSETEX', key, 'PXAT', args[4], 'FIELDS', '1', id, sealed)
    return 1
  end
  return stored == sealed and 1 or stored
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

-- The ids of the live sessions that expire first, `count` of them.
local function first_to_expire(key, ids, count)
  local ends = {}
  for _, id in ipairs(ids) do
    ends[id] = redis.call('HPEXPIRETIME', key, 'FIELDS', '1', id)[1]
  end
  table.sort(ids, function(a, b)
    if ends[a] ~= ends[b] then
      return ends[a] < ends[b]
    end
    return a < b
  end)
  return {unpack(ids, 1, count)}
end

-- KEYS[1] the user's sessions, KEYS[2] their revocation mark, if marks are kept; ARGV: session id, sealed session, expiry
-- in Unix milliseconds, how many sessions a user may have (0: any number), '1' to evict for the new one, created at.
-- Returns {'stored', evicted ids...}, {'conflict', stored session}, {'revoked'} or {'full'}.
local function create(keys, args)
  local stored = redis.call('HGET', keys[1], args[1])
  if stored == args[2] then
    return {'stored'}
  end
  if stored then
    return {'conflict', stored}
  end
  local mark = keys[2] and redis.call('GET', keys[2])
  if mark and tonumber(args[6]) <= tonumber(mark) then
    return {'revoked'}
  end
  local evicted = {}
  local maximum = tonumber(args[4])
  if maximum > 0 then
    local ids = redis.call('HKEYS', keys[1])
    if #ids >= maximum then
      if args[5] ~= '1' then
        return {'full'}
      end
      evicted = first_to_expire(keys[1], ids, #ids - maximum + 1)
    end
  end
  for _, id in ipairs(evicted) do
    redis.call('HDEL', keys[1], id)
  end
  redis.call('HSETEX', keys[1], 'FNX', 'PXAT', args[3], 'FIELDS', '1', args[1], args[2])
  return {'stored', unpack(evicted)}
end

-- KEYS[1] the user's sessions; ARGV: old session id, lock version to replace, new session id, sealed session, expiry in
-- Unix milliseconds. Returns 1 rotated (or these very bytes stand already), the stored session on a conflict, nil if
-- gone, 0 if the new id is taken.
local function rotate(keys, args)
  local taken = redis.call('HGET', keys[1], args[3])
  if taken == args[4] then
    return 1
  end
  local stored = redis.call('HGET', keys[1], args[1])
  if not stored then
    return nil
  end
  if sub(stored, 1, 8) ~= args[2] then
    return stored
  end
  if taken then
    return 0
  end
  redis.call('HSETEX', keys[1], 'FNX', 'PXAT', args[5], 'FIELDS', '1', args[3], args[4])
  redis.call('HDEL', keys[1], args[1])
  return 1
end

-- KEYS[1] the user's sessions, KEYS[2] their revocation mark; ARGV: the mark in Unix seconds, its lifetime in seconds.
-- A mark never goes back.
local function revoke_all(keys, args)
  local mark = redis.call('GET', keys[2])
  if not mark or tonumber(mark) <= tonumber(args[1]) then
    redis.call('SET', keys[2], args[1], 'EX', args[2])
  end
  return redis.call('UNLINK', keys[1])
end

-- KEYS[1] a key that nothing else uses. Writes and leaves nothing: WAIT looks at the last write of a connection, and a
-- delete that found nothing is none.
local function barrier(keys)
  redis.call('SET', keys[1], '')
  return redis.call('UNLINK', keys[1])
end

-- KEYS[1] the user's sessions; ARGV: session id, the sealed session to replace, the one to store, expiry in Unix
-- milliseconds. For tools that move sealed sessions as they are: since all bytes are compared, the lock version may stay.
-- Returns 1 replaced (or these very bytes stand already), 0 if another stands, nil if gone.
local function exchange(keys, args)
  local stored = redis.call('HGET', keys[1], args[1])
  if not stored then
    return nil
  end
  if stored == args[3] then
    return 1
  end
  if stored ~= args[2] then
    return 0
  end
  redis.call('HSETEX', keys[1], 'FXX', 'PXAT', args[4], 'FIELDS', '1', args[1], args[3])
  return 1
end

local function register(name, callback, flags)
  redis.register_function{function_name = 'obol_' .. name .. '_@OBOL_FUNCTIONS_HASH@', callback = callback, flags = flags}
end

register('update', update, {})
register('create', create, {})
register('rotate', rotate, {})
register('exchange', exchange, {})
register('delete_others', delete_others, {'allow-oom'})
register('revoke_all', revoke_all, {'allow-oom'})
register('barrier', barrier, {'allow-oom'})

#!lua name=obol_@OBOL_FUNCTIONS_HASH@
-- What Obol does inside the server: all that must be one step and is more than one command.
-- A sealed session begins with its lock version in 8 bytes; versions are compared as bytes, since a Lua number is exact
-- only up to 2^53. TIME stands still within a call, so what HGET finds cannot expire before HSETEX replaces it.

-- While a library is loaded, `string` has no name yet.
local sub = ('').sub

-- Whether the server's clock has reached an expiry in Unix milliseconds. HSETEX would delete the field, and say stored.
local function is_past(expiry)
  local now = redis.call('TIME')
  return now[1] * 1000 + now[2] / 1000 >= tonumber(expiry)
end

-- KEYS[1] the user's sessions; ARGV: session id, lock version to replace, sealed session, expiry in Unix milliseconds,
-- '1' to hold the expiry against the clock.
-- Returns 1 stored (or these very bytes stand already: a repeated call), -1 if the expiry is past, the stored session on
-- a conflict, nil if gone.
-- The one function that hosts call all the time, so it looks nothing up twice and asks for no FXX, which HGET has shown.
local function update(keys, args)
  local call, key, id, sealed = redis.call, keys[1], args[1], args[3]
  local stored = call('HGET', key, id)
  if not stored then
    return nil
  end
  if sub(stored, 1, 8) == args[2] then
    if args[5] == '1' and is_past(args[4]) then
      return -1
    end
    call('HSETEX', key, 'PXAT', args[4], 'FIELDS', '1', id, sealed)
    return 1
  end
  return stored == sealed and 1 or stored
end

-- A mark never goes back.
local function leave_mark(key, mark, lifetime)
  local standing = redis.call('GET', key)
  if not standing or tonumber(standing) <= tonumber(mark) then
    redis.call('SET', key, mark, 'EX', lifetime)
  end
end

-- KEYS[1] the user's sessions, KEYS[2] their revocation mark, if one shall be left; ARGV: the session id to keep, a key of
-- the same slot that nothing is stored under, the mark in Unix seconds, its lifetime in seconds.
-- A few are deleted one by one. Many are unlinked together and the one that is kept is put back, so that the work does not
-- grow with their number. While a cluster moves a slot, a key that is gone from it cannot be written any more: then the one
-- could not be put back, and the caller has to wait.
local function delete_others(keys, args)
  local call, key, id = redis.call, keys[1], args[1]
  if keys[2] then
    leave_mark(keys[2], args[3], args[4])
  end
  -- Asked of few sessions, too, so that a right that is missing shows before it matters.
  local kept = call('HGET', key, id)
  local ends = call('HPEXPIRETIME', key, 'FIELDS', '1', id)[1]
  if call('HLEN', key) <= 500 then
    for _, other in ipairs(call('HKEYS', key)) do
      if other ~= id then
        call('HDEL', key, other)
      end
    end
    return 1
  end
  local absent = redis.pcall('HGET', args[2], id)
  if absent and absent.err then
    return redis.error_reply('TRYAGAIN the slot is being moved')
  end
  call('UNLINK', key)
  if kept and ends > 0 then
    call('HSETEX', key, 'PXAT', ends, 'FIELDS', '1', id, kept)
  elseif kept then
    call('HSETEX', key, 'FIELDS', '1', id, kept)
  end
  return 1
end

-- When each of the sessions expires, by id, in Unix milliseconds; -2 for one that is not there. In pieces, since a Lua
-- stack holds some thousand values.
local function ends_of(key, ids)
  local ends = {}
  for first = 1, #ids, 500 do
    local last = math.min(first + 499, #ids)
    local found = redis.call('HPEXPIRETIME', key, 'FIELDS', last - first + 1, unpack(ids, first, last))
    for i = first, last do
      ends[ids[i]] = found[i - first + 1]
    end
  end
  return ends
end

-- The ids of the live sessions that expire first, `count` of them.
local function first_to_expire(key, ids, count)
  local ends = ends_of(key, ids)
  table.sort(ids, function(a, b)
    if ends[a] ~= ends[b] then
      return ends[a] < ends[b]
    end
    return a < b
  end)
  local first = {}
  for i = 1, count do
    first[i] = ids[i]
  end
  return first
end

-- KEYS[1] the user's sessions, KEYS[2] their revocation mark, if marks are kept; ARGV: session id, sealed session, expiry
-- in Unix milliseconds, '1' to hold the expiry against the clock, created at, how many sessions a user may have (0: any
-- number), '1' to evict for the new one, how many more than that there may be ('' any number).
-- Returns {'stored', evicted ids...}, {'conflict', stored session}, {'revoked'}, {'expired'}, {'full'}, or {'crowded'} if
-- there are so many that thin_out has to be called first. HLEN may count expired sessions, too, so it only suspects.
local function create(keys, args)
  local call, key, id = redis.call, keys[1], args[1]
  local stored = call('HGET', key, id)
  if stored == args[2] then
    return {'stored'}
  end
  if stored then
    return {'conflict', stored}
  end
  local mark = keys[2] and call('GET', keys[2])
  if mark and tonumber(args[5]) <= tonumber(mark) then
    return {'revoked'}
  end
  if args[4] == '1' and is_past(args[3]) then
    return {'expired'}
  end
  local evicted = {}
  local maximum = tonumber(args[6])
  if maximum > 0 then
    if args[8] ~= '' and call('HLEN', key) > maximum + tonumber(args[8]) then
      return {'crowded'}
    end
    local ids = call('HKEYS', key)
    if #ids >= maximum then
      if args[7] ~= '1' then
        return {'full'}
      end
      evicted = first_to_expire(key, ids, #ids - maximum + 1)
    end
  end
  -- Before the others go: a key that is gone from a slot that a cluster moves cannot be written any more.
  call('HSETEX', key, 'FNX', 'PXAT', args[3], 'FIELDS', '1', id, args[2])
  local answer = {'stored'}
  for i, one in ipairs(evicted) do
    call('HDEL', key, one)
    answer[i + 1] = one
  end
  return answer
end

-- KEYS[1] the user's sessions; ARGV: where HSCAN goes on ('' nowhere), how many sessions it shall look at, then session
-- ids and expiries in Unix milliseconds, in turn: these are evicted, if they still expire then.
-- Returns {where HSCAN goes on, {evicted ids...}, {session id, expiry, session id, expiry, ...}}.
-- Evicts one by one: Redis and Valkey differ on commands that delete live and expired fields together.
local function thin_out(keys, args)
  local key, doomed, evicted, seen = keys[1], {}, {}, {}
  for i = 3, #args, 2 do
    doomed[#doomed + 1] = args[i]
  end
  local ends = ends_of(key, doomed)
  -- Before any go, as in create.
  local scanned = {'0', {}}
  if args[1] ~= '' then
    scanned = redis.call('HSCAN', key, args[1], 'COUNT', args[2], 'NOVALUES')
  end
  local ends_seen = ends_of(key, scanned[2])
  for i = 3, #args, 2 do
    if ends[args[i]] == tonumber(args[i + 1]) then
      redis.call('HDEL', key, args[i])
      evicted[#evicted + 1] = args[i]
      ends_seen[args[i]] = nil
    end
  end
  for _, id in ipairs(scanned[2]) do
    if (ends_seen[id] or 0) > 0 then
      seen[#seen + 1] = id
      seen[#seen + 1] = ends_seen[id]
    end
  end
  return {scanned[1], evicted, seen}
end

-- KEYS[1] the user's sessions, KEYS[2] their revocation mark, if one shall be left; ARGV: old session id, lock version to
-- replace, new session id, sealed session, expiry in Unix milliseconds, '1' to hold it against the clock, the mark in Unix
-- seconds, its lifetime in seconds. Returns 1 rotated (or these very bytes stand already), -1 if the expiry is past, the
-- stored session on a conflict, nil if gone, 0 if the new id is taken.
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
  if args[6] == '1' and is_past(args[5]) then
    return -1
  end
  if keys[2] then
    leave_mark(keys[2], args[7], args[8])
  end
  redis.call('HSETEX', keys[1], 'FNX', 'PXAT', args[5], 'FIELDS', '1', args[3], args[4])
  redis.call('HDEL', keys[1], args[1])
  return 1
end

-- KEYS[1] the user's sessions, KEYS[2] their revocation mark; ARGV: the mark in Unix seconds, its lifetime in seconds.
local function revoke_all(keys, args)
  leave_mark(keys[2], args[1], args[2])
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
-- Returns 1 replaced (or these very bytes stand already), 0 if another stands, nil if gone, -1 if the expiry is past.
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
  if is_past(args[4]) then
    return -1
  end
  redis.call('HSETEX', keys[1], 'FXX', 'PXAT', args[4], 'FIELDS', '1', args[1], args[3])
  return 1
end

local function register(name, callback, flags)
  redis.register_function{function_name = 'obol_' .. name .. '_@OBOL_FUNCTIONS_HASH@', callback = callback, flags = flags}
end

register('update', update, {})
register('create', create, {})
register('thin_out', thin_out, {'allow-oom'})
register('rotate', rotate, {})
register('exchange', exchange, {})
register('delete_others', delete_others, {'allow-oom'})
register('revoke_all', revoke_all, {'allow-oom'})
register('barrier', barrier, {'allow-oom'})

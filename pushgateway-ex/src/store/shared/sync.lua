-- Compares what a replica knows with what there is, and either makes the replica's change or tells it what it does not know yet. A
-- script runs alone, so no other replica's change comes between.
--
-- KEYS: the groups (a hash), how they stand (a hash), what changed them (a stream; the entry REVISION-0 is the change that made
--       that revision: its id, then the groups that it touched)
-- ARGV: the revision that the replica knows, the id of the change that made it, the id of the change to make, changes to remember,
--       groups to tell of at a time, milliseconds that a turn lasts, whether all groups go before the others are changed (1); then field
--       and record of each group to change, an empty record for one to remove
-- Answers: a word, the revision and id that the replica then knows, how many groups there are, ids of the changes it was told of,
--       fields and records of the groups that these touched
--
-- Who comes too late with a change has the next turn, so that a replica that is slower than others is not always late.
local groups, state, changes = KEYS[1], KEYS[2], KEYS[3]
local known, known_id, new_id, kept, page = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local wiping, first = ARGV[7] == '1', 8
local changing = wiping or #ARGV >= first

local function entry_of(revision)
    return string.format('%d-0', revision)
end

local function remember(revision)
    local entry = {'id', new_id}
    if wiping or (#ARGV - first + 1) / 2 > page then
        -- Who does not know this change reads everything.
        entry[3], entry[4] = 'all', ''
    else
        for n = first, #ARGV, 2 do
            entry[#entry + 1] = 'group'
            entry[#entry + 1] = ARGV[n]
        end
    end
    redis.call('XADD', changes, 'MAXLEN', '~', kept, entry_of(revision), unpack(entry))
end

local function change(revision)
    -- Whatever may be refused, for want of memory or because this is no master, comes first: a script is not undone. What only
    -- removes groups is not refused for want of memory.
    local removes = true
    if revision == 1 then
        -- Of a state that is there no more.
        redis.call('DEL', changes)
    end
    if wiping then
        redis.call('DEL', groups)
    end
    for n = first, #ARGV, 2 do
        removes = removes and ARGV[n + 1] == ''
    end
    if not removes then
        remember(revision)
    end
    for n = first, #ARGV, 2 do
        if ARGV[n + 1] == '' then
            redis.call('HDEL', groups, ARGV[n])
        else
            redis.call('HSET', groups, ARGV[n], ARGV[n + 1])
        end
    end
    if removes then
        remember(revision)
    end
    redis.call('HSET', state, 'revision', entry_of(revision):sub(1, -3), 'id', new_id)
end

local function now()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The change whose turn it is, if it is not ours.
local function others_turn()
    local turn = redis.call('HMGET', state, 'turn', 'until')
    return turn[1] and turn[1] ~= new_id and tonumber(turn[2]) > now()
end

local function is_replica()
    -- A write that changes nothing: a Redis that follows another refuses it, and what it would tell may be old.
    local answer = redis.pcall('HDEL', state, '')
    return type(answer) == 'table' and answer.err and string.find(answer.err, 'READONLY') and answer
end

local stands = redis.call('HMGET', state, 'revision', 'id')
local revision, id = tonumber(stands[1] or '0'), stands[2] or ''

if revision == known and id == known_id then
    if changing then
        if others_turn() then
            return {'wait', revision, id, 0, {}, {}}
        end
        revision, id = known + 1, new_id
        change(revision)
    else
        local refusal = is_replica()
        if refusal then return refusal end
    end
    if redis.call('HGET', state, 'turn') == new_id or changing then
        redis.call('HDEL', state, 'turn', 'until')
    end
    return {'current', revision, id, redis.call('HLEN', groups), {}, {}}
end

local refusal = is_replica()
if refusal then return refusal end
if changing and not others_turn() then
    redis.call('HSET', state, 'turn', new_id, 'until', string.format('%d', now() + ARGV[6]))
end

local told = {'other', revision, id, redis.call('HLEN', groups), {}, {}}
if revision < known then return told end
-- Each may name a page of groups, so not too many are looked at together.
local entries = redis.call('XRANGE', changes, entry_of(known), '+', 'COUNT', 200)
local oldest = redis.call('XRANGE', changes, '-', '+', 'COUNT', 1)[1]
local start
if known == 0 then
    -- Nothing came before the first change.
    if not oldest or oldest[1] ~= '1-0' then told[1] = 'behind' return told end
    start = 1
else
    local own = entries[1]
    if not own or own[1] ~= entry_of(known) then
        if oldest and tonumber(string.match(oldest[1], '^%d+')) > known then told[1] = 'behind' end
        return told
    end
    if own[2][2] ~= known_id then return told end
    start = 2
end

local ids, changed, seen, last = {}, {}, {}, nil
for n = start, #entries do
    local fields = entries[n][2]
    if fields[3] == 'all' then told[1] = 'behind' return told end
    ids[#ids + 1], last = fields[2], entries[n]
    for f = 4, #fields, 2 do
        local group = fields[f]
        if not seen[group] then
            seen[group] = true
            changed[#changed + 1] = group
            changed[#changed + 1] = redis.call('HGET', groups, group)
        end
    end
    if #changed >= 2 * page then break end
end
if not last then return told end
local reached = tonumber(string.match(last[1], '^%d+'))
return {reached == revision and 'changed' or 'more', reached, last[2][2], told[4], ids, changed}

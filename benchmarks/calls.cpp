// Calls, made from whatever a thread needs of its own.
#include "calls.hpp"

#include <fmt/format.h>

#include <atomic>
#include <memory>
#include <utility>

#include "sealing/sealing.hpp"
#include "store/session_commands.hpp"

namespace obol::benchmark {
namespace {

using redis::Command;

constexpr std::string_view charon_library = R"(#!lua name=obol_benchmark_charon
redis.register_function('obol_benchmark_charon_upsert', function(keys, args)
  local lock = redis.call('HGET', keys[1], 'l.' .. args[1])
  if lock and lock ~= args[2] then return 'CONFLICT' end
  redis.call('HSETEX', keys[1], 'PXAT', args[5], 'FIELDS', '2', 'l.' .. args[1], args[3], 's.' .. args[1], args[4])
  return 'OK'
end)
)";

std::shared_ptr<BareConnection> connection_to(World& world) {
  return std::make_shared<BareConnection>(world.server().connection());
}

Command hget(const SessionKey& key) { return get_command(World::stored_key_of(key.user_id), key.id); }

std::string expiry_of(const Session& session) {
  return fmt::format("{}", std::chrono::milliseconds(session.refresh_expires_at.time_since_epoch()).count());
}

Command charon_upsert(const Session& session, std::size_t lock) {
  return {"FCALL",
          "obol_benchmark_charon_upsert",
          "1",
          World::stored_key_of(session.user_id),
          session.id,
          fmt::format("{}", lock),
          fmt::format("{}", lock + 1),
          std::string(sealed_bytes, 'x'),
          expiry_of(session)};
}

bool is_ok(const redisReply& reply) { return reply.type == REDIS_REPLY_STRING && std::string_view(reply.str) == "OK"; }

void load_charon(BareConnection& connection) {
  const auto reply = connection.call({"FUNCTION", "LOAD", charon_library});
  const bool stands = reply->type == REDIS_REPLY_ERROR && std::string_view(reply->str).ends_with("already exists");
  require(stands || reply->type != REDIS_REPLY_ERROR, reply->type == REDIS_REPLY_ERROR ? reply->str : "");
}

/// A session of this thread alone, so that no update conflicts; ids begin behind those of the world.
Session own_session(World& world, std::size_t thread) { return make_session(thread % world.users(), 900'000 + thread); }

SealedSession as_stored(const Session& session, std::string_view sealed) {
  return {.id = session.id, .lock_version = session.lock_version, .expiry = field_expiry(session), .sealed = sealed};
}

/// What Obol's own update function is given, unsealed: it looks at the lock version only.
class BareSession {
 public:
  BareSession(World& world, std::size_t thread) : session_(own_session(world, thread)) {
    place_ = World::stored_key_of(session_.user_id);
  }
  /// Creates it anew.
  void begin(BareConnection& connection) {
    connection.call({"HDEL", place_, session_.id});
    require(connection.call(create())->integer == 1, "HSETEX");
  }
  Command get() const { return get_command(place_, session_.id); }
  Command update() {
    ++session_.lock_version;
    return update_command(place_, as_stored(session_, sealed()), false);
  }

 private:
  Command create() {
    session_.lock_version = 1;
    return create_command(place_, as_stored(session_, sealed()));
  }
  std::string sealed() const {
    return sealing::encode_lock_version(session_.lock_version).append(sealed_bytes - 8, 'x');
  }
  Session session_;
  std::string place_;
};

/// The same as Obol stores it, beside the bare one.
Session own_stored_session(World& world, std::size_t thread) {
  auto session = own_session(world, thread);
  session.id += "o";
  require(world.store().delete_one(session.key()).has_value(), "delete_one");
  require(world.store().upsert(session).has_value(), "upsert of a new session");
  return session;
}

void create_bare(BareConnection& connection, Session session) {
  session.lock_version = 1;
  const auto sealed = sealing::encode_lock_version(1).append(sealed_bytes - 8, 'x');
  const auto reply = connection.call(create_command(World::stored_key_of(session.user_id), as_stored(session, sealed)));
  require(reply->integer == 1, "HSETEX");
}

}  // namespace

std::size_t first_number() {
  static std::atomic<std::size_t> begun = 0;
  return begun++ * 1'000'000;
}

Session new_session(World& world, std::size_t caller, std::size_t number) {
  return make_session((caller * 31 + number) % world.users(), 20'000'000'000 + number);
}

MakeCall bare_get(World& world) {
  return [&world](std::size_t thread) -> Call {
    return [&world, connection = connection_to(world), picker = Picker(thread)](std::size_t) mutable {
      const auto reply = connection->call(hget(world.keys()[picker.pick(world.keys().size())]));
      require(reply->type == REDIS_REPLY_STRING, "HGET");
    };
  };
}

MakeCall bare_get_all(World& world) {
  return [&world](std::size_t thread) -> Call {
    return [&world, connection = connection_to(world), picker = Picker(thread)](std::size_t) mutable {
      const auto user = World::user_id(picker.pick(world.users()));
      require(connection->call(get_all_command(World::stored_key_of(user)))->elements > 0, "HGETALL");
    };
  };
}

MakeCall bare_get_pipelined(World& world, std::size_t depth) {
  return [&world, depth](std::size_t thread) -> Call {
    return [&world, depth, connection = connection_to(world), picker = Picker(thread)](std::size_t) mutable {
      for (std::size_t i = 0; i < depth; ++i) connection->send(hget(world.keys()[picker.pick(world.keys().size())]));
      for (std::size_t i = 0; i < depth; ++i) require(connection->receive()->type == REDIS_REPLY_STRING, "HGET");
    };
  };
}

MakeCall verified_get(World& world, std::size_t depth) {
  return [&world, depth](std::size_t thread) -> Call {
    return [connection = connection_to(world), keyring = options_for(world.server()).keyring, &world,
            picker = Picker(thread), some = std::vector<SessionKey>(depth)](std::size_t) mutable {
      for (auto& key : some) {
        key = world.keys()[picker.pick(world.keys().size())];
        connection->send(hget(key));
      }
      for (const auto& key : some) {
        const auto reply = connection->receive();
        require(reply->type == REDIS_REPLY_STRING, "HGET");
        const auto session =
            sealing::open({reply->str, reply->len}, World::stored_key_of(key.user_id), key, keyring, Encryption::off);
        require(session.has_value(), "opening a session");
      }
    };
  };
}

MakeCall bare_create(World& world) {
  return [&world](std::size_t thread) -> Call {
    return [&world, connection = connection_to(world), first = first_number(), thread](std::size_t number) {
      auto session = new_session(world, thread, first + number);
      create_bare(*connection, std::move(session));
    };
  };
}

MakeCall bare_create_and_delete(World& world) {
  return [&world](std::size_t thread) -> Call {
    return [&world, connection = connection_to(world), first = first_number(), thread](std::size_t number) {
      auto session = new_session(world, thread, first + number);
      create_bare(*connection, session);
      const auto reply = connection->call(delete_one_command(World::stored_key_of(session.user_id), session.id));
      require(reply->integer == 1, "HDEL");
    };
  };
}

MakeCall bare_update(World& world) { return bare_update_pipelined(world, 1); }

MakeCall bare_update_pipelined(World& world, std::size_t depth, redis::FunctionForm form) {
  return [&world, depth, form](std::size_t thread) -> Call {
    auto connection = connection_to(world);
    auto session = std::make_shared<BareSession>(world, thread);
    session->begin(*connection);
    return [depth, form, connection, session](std::size_t) {
      for (std::size_t i = 0; i < depth; ++i) {
        const auto update = session->update();
        connection->send(session_functions().as_script(update, form).value_or(update));
      }
      for (std::size_t i = 0; i < depth; ++i) require(connection->receive()->integer == 1, "the update function");
    };
  };
}

MakeCall bare_get_and_update(World& world) {
  return [&world](std::size_t thread) -> Call {
    auto connection = connection_to(world);
    auto session = std::make_shared<BareSession>(world, thread);
    session->begin(*connection);
    return [connection, session](std::size_t) {
      require(connection->call(session->get())->type == REDIS_REPLY_STRING, "HGET");
      require(connection->call(session->update())->integer == 1, "the update function");
    };
  };
}

MakeCall charon_create(World& world) {
  return [&world](std::size_t thread) -> Call {
    auto connection = connection_to(world);
    load_charon(*connection);
    return [&world, connection, first = first_number(), thread](std::size_t number) {
      const auto session = make_session((thread * 31 + number) % world.users(), 10'000'000 + first + number);
      require(is_ok(*connection->call(charon_upsert(session, 0))), "Charon's function");
    };
  };
}

MakeCall charon_update_pipelined(World& world, std::size_t depth) {
  return [&world, depth](std::size_t thread) -> Call {
    auto connection = connection_to(world);
    load_charon(*connection);
    auto session = own_session(world, thread);
    session.id += "c";
    connection->call({"HDEL", World::stored_key_of(session.user_id), "l." + session.id});
    return [depth, connection, session](std::size_t number) {
      for (std::size_t i = 0; i < depth; ++i) connection->send(charon_upsert(session, number * depth + i));
      for (std::size_t i = 0; i < depth; ++i) require(is_ok(*connection->receive()), "Charon's function");
    };
  };
}

MakeCall obol_get(World& world) {
  return [&world](std::size_t thread) -> Call {
    return [&world, picker = Picker(thread)](std::size_t) mutable {
      const auto session = world.store().get(world.keys()[picker.pick(world.keys().size())]);
      require(session && *session, "get");
    };
  };
}

MakeCall obol_get_all(World& world) {
  return [&world](std::size_t thread) -> Call {
    return [&world, picker = Picker(thread)](std::size_t) mutable {
      const auto sessions = world.store().get_all(World::user_id(picker.pick(world.users())), "full");
      require(sessions && !sessions->empty(), "get_all");
    };
  };
}

MakeCall obol_get_many(World& world, std::size_t keys) {
  return [&world, keys](std::size_t thread) -> Call {
    return [&world, picker = Picker(thread), some = std::vector<SessionKey>(keys)](std::size_t) mutable {
      for (auto& key : some) key = world.keys()[picker.pick(world.keys().size())];
      const auto sessions = world.store().get_many(some);
      require(sessions && sessions->front(), "get_many");
    };
  };
}

MakeCall obol_create(World& world) {
  return [&world](std::size_t thread) -> Call {
    return [&world, first = first_number(), thread](std::size_t number) {
      auto session = new_session(world, thread, first + number);
      require(world.store().upsert(session).has_value(), "upsert of a new session");
    };
  };
}

MakeCall obol_create_and_delete(World& world) {
  return [&world](std::size_t thread) -> Call {
    return [&world, first = first_number(), thread](std::size_t number) {
      auto session = new_session(world, thread, first + number);
      require(world.store().upsert(session).has_value(), "upsert of a new session");
      require(world.store().delete_one(session.key()).has_value(), "delete_one");
    };
  };
}

MakeCall obol_update(World& world) {
  return [&world](std::size_t thread) -> Call {
    return [&world, session = own_stored_session(world, thread)](std::size_t) mutable {
      require(world.store().upsert(session).has_value(), "upsert of a stored session");
    };
  };
}

MakeCall obol_get_and_update(World& world) {
  return [&world](std::size_t thread) -> Call {
    return [&world, key = own_stored_session(world, thread).key()](std::size_t) {
      auto session = world.store().get(key);
      require(session && *session, "get");
      require(world.store().upsert(**session).has_value(), "upsert of a stored session");
    };
  };
}

}  // namespace obol::benchmark

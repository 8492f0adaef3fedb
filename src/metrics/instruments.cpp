// The metrics: names, units, meanings.
#include "metrics/instruments.hpp"

#include <array>

#include "obol/metrics/store_metrics.hpp"

namespace obol { inline namespace v0 {
namespace {

constexpr auto counter = InstrumentKind::counter;
constexpr auto up_down_counter = InstrumentKind::up_down_counter;

constexpr std::array<Instrument, 28> all{{
    {"db.client.operation.duration", "s", "Duration of the store's calls, including waiting and repeats.",
     InstrumentKind::histogram},
    {"db.client.connection.count", "{connection}", "Connections of the pool by state.", up_down_counter},
    {"db.client.connection.max", "{connection}", "Maximum number of connections of the pool.", up_down_counter},
    {"db.client.connection.pending_requests", "{request}", "Calls that wait for a connection.", up_down_counter},
    {"db.client.connection.timeouts", "{timeout}", "Calls that got no connection in time.", counter},
    {"obol.connection.opened", "{connection}", "Connections of the pool that were opened.", counter},
    {"obol.connection.closed", "{connection}", "Connections of the pool that were closed or lost.", counter},
    {"obol.connection.in_flight", "{call}", "Calls whose commands were sent and are not answered.", up_down_counter},
    {"obol.connection.flights", "{send}", "Sends that calls share and that are not answered.", up_down_counter},
    {"obol.connection.failures", "{attempt}", "Failed attempts to open a connection.", counter},
    {"obol.near_cache.lookups", "{lookup}", "Lookups of get in the near cache, by result.", counter},
    {"obol.near_cache.invalidations", "{invalidation}", "Changes reported to the near cache.", counter},
    {"obol.near_cache.evictions", "{session}", "Sessions dropped to keep the near cache within its limit.", counter},
    {"obol.near_cache.sessions", "{session}", "Sessions in the near cache.", up_down_counter},
    {"obol.near_cache.size", "By", "Estimated memory of the sessions in the near cache.", up_down_counter},
    {"obol.near_cache.in_use", "{cache}", "1 while changes are reported to the near cache, else 0.", up_down_counter},
    {"obol.session.events", "{event}", "Events of sessions.", counter},
    {"obol.session.refusals", "{session}", "New sessions that the session policy refused.", counter},
    {"obol.token.reuses", "{token}", "Refresh tokens that were presented after they had been replaced.", counter},
    {"obol.verification.failures", "{session}", "Stored sessions that failed verification, by reason and key.",
     counter},
    {"obol.functions.loaded", "{load}", "Times the function library was loaded into the server.", counter},
    {"obol.findings", "{finding}", "Findings about the server and its settings at connect.", up_down_counter},
    {"obol.session_watch.sessions", "{session}", "Watched sessions by status, counted for each handle.",
     up_down_counter},
    {"obol.session_watch.users", "{user}", "Users with watched sessions, counted for each session type.",
     up_down_counter},
    {"obol.session_watch.ends", "{session}", "Ends of watched sessions, counted for each handle.", counter},
    {"obol.session_watch.reads", "{read}", "Reads of watched users' sessions, at first and after changes.", counter},
    {"obol.session_watch.connection.opened", "{connection}", "Connections of the watch that were opened.", counter},
    {"obol.session_watch.connection.lost", "{connection}", "Connections of the watch that were lost or renewed.",
     counter},
}};
static_assert(all.size() == static_cast<std::size_t>(metrics::Index::watch_connections_lost) + 1);

}  // namespace

std::span<const Instrument> instruments() { return all; }

}}  // namespace obol::v0

// The metrics: names, units, meanings.
#include "metrics/instruments.hpp"

#include <array>

#include "obol/metrics/store_metrics.hpp"

namespace obol::inline v0 {
namespace {

constexpr auto counter = InstrumentKind::counter;
constexpr auto up_down_counter = InstrumentKind::up_down_counter;

constexpr std::array<Instrument, 19> all{{
    {"db.client.operation.duration", "s", "Duration of the store's calls, waiting and repeats included.",
     InstrumentKind::histogram},
    {"db.client.connection.count", "{connection}", "Connections of the pool by state.", up_down_counter},
    {"db.client.connection.max", "{connection}", "Most connections that the pool may have.", up_down_counter},
    {"db.client.connection.pending_requests", "{request}", "Calls that wait for a connection.", up_down_counter},
    {"db.client.connection.timeouts", "{timeout}", "Calls that got no connection in time.", counter},
    {"obol.connection.opened", "{connection}", "Connections of the pool that were opened.", counter},
    {"obol.connection.closed", "{connection}", "Connections of the pool that were closed or lost.", counter},
    {"obol.connection.failures", "{attempt}", "Attempts to open a connection that failed.", counter},
    {"obol.near_cache.lookups", "{lookup}", "Calls of get that looked into the near cache, by what came of it.",
     counter},
    {"obol.near_cache.invalidations", "{invalidation}", "Changes that the near cache heard of.", counter},
    {"obol.near_cache.evictions", "{session}", "Sessions dropped to keep the near cache within its limit.", counter},
    {"obol.near_cache.sessions", "{session}", "Sessions in the near cache.", up_down_counter},
    {"obol.near_cache.size", "By", "Estimated memory of the sessions in the near cache.", up_down_counter},
    {"obol.near_cache.in_use", "{cache}", "1 while the near cache hears of changes, else 0.", up_down_counter},
    {"obol.session.events", "{event}", "What happened to sessions.", counter},
    {"obol.session.refusals", "{session}", "New sessions that the session policy did not let in.", counter},
    {"obol.verification.failures", "{session}", "Stored sessions that were not accepted, by reason and key.", counter},
    {"obol.functions.loaded", "{load}", "Times the function library was loaded into the server.", counter},
    {"obol.findings", "{finding}", "What connecting found about the server and its settings.", up_down_counter},
}};
static_assert(all.size() == static_cast<std::size_t>(metrics::Index::findings) + 1);

}  // namespace

std::span<const Instrument> instruments() { return all; }

}  // namespace obol::inline v0

// A host of Obol's that uses one of the two faces for Asio, compiled against an installation.
#ifdef OBOL_CONSUMES_BOOST_ASIO
#include "obol/boost_asio.hpp"
namespace face = obol::boost_asio;
#else
#include "obol/asio.hpp"
namespace face = obol::asio;
#endif

void log_out(face::Store<>& sessions, obol::SessionKey key) {
  sessions.delete_one(std::move(key), [](const obol::Result<obol::Deleted>&) {});
}

// The Asio that the tests of this folder are compiled with, and what they use of it.
#pragma once

// NOLINTBEGIN(bugprone-macro-parentheses): the name of a file
#ifdef OBOL_TEST_BOOST
#include "obol/boost_asio.hpp"
#define OBOL_TEST_ASIO_HEADER(name) <boost/asio/name>
#else
#include "obol/asio.hpp"
#define OBOL_TEST_ASIO_HEADER(name) <asio/name>
#endif
// NOLINTEND(bugprone-macro-parentheses)

#include OBOL_TEST_ASIO_HEADER(bind_allocator.hpp)
#include OBOL_TEST_ASIO_HEADER(bind_cancellation_slot.hpp)
#include OBOL_TEST_ASIO_HEADER(bind_executor.hpp)
#include OBOL_TEST_ASIO_HEADER(cancellation_signal.hpp)
#include OBOL_TEST_ASIO_HEADER(co_spawn.hpp)
#include OBOL_TEST_ASIO_HEADER(detached.hpp)
#include OBOL_TEST_ASIO_HEADER(io_context.hpp)
#include OBOL_TEST_ASIO_HEADER(system_executor.hpp)
#include OBOL_TEST_ASIO_HEADER(use_future.hpp)
#if __has_include(OBOL_TEST_ASIO_HEADER(as_tuple.hpp))
#include OBOL_TEST_ASIO_HEADER(as_tuple.hpp)
#define OBOL_TEST_HAS_AS_TUPLE
#endif
#if __has_include(OBOL_TEST_ASIO_HEADER(bind_immediate_executor.hpp))
#include OBOL_TEST_ASIO_HEADER(bind_immediate_executor.hpp)
#define OBOL_TEST_HAS_IMMEDIATE_EXECUTOR
#endif

namespace obol::testing {

#ifdef OBOL_TEST_BOOST
namespace net = ::boost::asio;
namespace face = obol::boost_asio;
#else
namespace net = ::asio;
namespace face = obol::asio;
#endif

}  // namespace obol::testing

// Asynchronous stores for Boost.Asio. For hosts that use that library (Boost 1.81 or newer). Obol itself does not use
// it, and obol.hpp does not include this header.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/posix/descriptor_base.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/recycling_allocator.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/version.hpp>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "obol/async_redis_store.hpp"
#include "obol/async_session_manager.hpp"
#include "obol/async_session_store.hpp"
#include "obol/handler_turn.hpp"

#if BOOST_ASIO_VERSION < 102600
#error "obol/boost_asio.hpp needs Boost 1.81 or newer"
#endif

#define OBOL_ASIO ::boost::asio
#define OBOL_ASIO_FACE boost_asio
#if BOOST_ASIO_VERSION >= 102300
#include <boost/asio/deferred.hpp>
#define OBOL_ASIO_HAS_DEFERRED
#elif defined(BOOST_ASIO_HAS_CO_AWAIT)
#define OBOL_ASIO_HAS_CO_AWAIT
#endif
#if __has_include(<boost/asio/associated_immediate_executor.hpp>)
#include <boost/asio/associated_immediate_executor.hpp>
#define OBOL_ASIO_HAS_IMMEDIATE_EXECUTOR
#endif
#include "obol/asio_support.ipp"
#undef OBOL_ASIO
#undef OBOL_ASIO_FACE
#undef OBOL_ASIO_HAS_DEFERRED
#undef OBOL_ASIO_HAS_CO_AWAIT
#undef OBOL_ASIO_HAS_IMMEDIATE_EXECUTOR

# obol::asio and obol::boost_asio: the library, and the headers that obol/asio.hpp and obol/boost_asio.hpp include.
function(obol_add_headers name dependency)
  add_library(obol_${name} INTERFACE)
  target_link_libraries(obol_${name} INTERFACE obol::obol ${dependency} Threads::Threads)
  obol_offer_component(${name})
endfunction()

if(OBOL_WITH_ASIO)
  obol_add_headers(asio asio::asio)
endif()
if(OBOL_WITH_BOOST_ASIO)
  obol_add_headers(boost_asio Boost::headers)
endif()

# Builds the library under a name, with a function library compiled in; and what every target of the project shares.
function(obol_add_library name lua_file)
  set(generated "${PROJECT_BINARY_DIR}/generated")
  obol_embed_functions("${PROJECT_SOURCE_DIR}/${lua_file}" "${generated}/session_functions.hpp")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/*.cpp")
  add_library(${name} ${sources})
  target_compile_features(${name} PUBLIC cxx_std_23)
  set_target_properties(${name} PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} POSITION_INDEPENDENT_CODE ON)
  target_include_directories(${name}
    PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>"
    PRIVATE "${PROJECT_SOURCE_DIR}/src" "${generated}")
  target_link_libraries(${name} PRIVATE hiredis::hiredis OpenSSL::SSL OpenSSL::Crypto fmt::fmt Threads::Threads)
  obol_set_warnings(${name})
  obol_set_sanitizers(${name} PUBLIC)
endfunction()

function(obol_set_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
  if(OBOL_WARNINGS_AS_ERRORS)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

function(obol_set_sanitizers target scope)
  if(OBOL_SANITIZE)
    set(flags -fsanitize=${OBOL_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_compile_options(${target} ${scope} ${flags})
    target_link_options(${target} ${scope} ${flags})
  endif()
endfunction()

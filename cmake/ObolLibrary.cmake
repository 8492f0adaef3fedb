# Builds the library under a name, with a function library compiled in; and what every target of the project shares.
function(obol_add_library name lua_file)
  set(generated "${PROJECT_BINARY_DIR}/generated")
  obol_embed_functions("${PROJECT_SOURCE_DIR}/${lua_file}" "${generated}/session_functions.hpp")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/*.cpp")
  list(FILTER sources EXCLUDE REGEX "/src/(metrics/adapters|obolctl)/")
  add_library(${name} ${sources})
  # It tells OpenSSL's headers what other files do not.
  set_source_files_properties("${PROJECT_SOURCE_DIR}/src/sealing/hmac_states.cpp"
    PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  set_target_properties(${name} PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} POSITION_INDEPENDENT_CODE ON)
  target_include_directories(${name} PRIVATE "${generated}")
  obol_set_requirements(${name})
  obol_set_visibility(${name})
  obol_set_warnings(${name})
endfunction()

# What it takes to compile the library and to link with it.
function(obol_set_requirements target)
  target_compile_features(${target} PUBLIC cxx_std_23)
  target_include_directories(${target}
    PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>"
    PRIVATE "${PROJECT_SOURCE_DIR}/src")
  target_link_libraries(${target} PRIVATE hiredis::hiredis OpenSSL::SSL OpenSSL::Crypto fmt::fmt Threads::Threads)
  obol_set_sanitizers(${target} PUBLIC)
endfunction()

# Nothing is visible outside a shared library but what OBOL_EXPORT marks.
function(obol_set_visibility target)
  set_target_properties(${target} PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "SHARED_LIBRARY")
    set(map "${PROJECT_SOURCE_DIR}/cmake/libobol.map")
    target_link_options(${target} PRIVATE "LINKER:--version-script=${map}")
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${map}")
  else()
    target_compile_definitions(${target} PRIVATE OBOL_BUILDING_STATIC)
  endif()
endfunction()

# The library as tests, benchmarks and tools link it that reach into src/, which a shared library hides: a static one of
# the same objects.
function(obol_add_internals name library)
  get_target_property(type ${library} TYPE)
  if(type STREQUAL "STATIC_LIBRARY")
    add_library(${name} ALIAS ${library})
    return()
  endif()
  add_library(${name} STATIC EXCLUDE_FROM_ALL $<TARGET_OBJECTS:${library}>)
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX)
  obol_set_requirements(${name})
endfunction()

# Off inside another project, whose own -Werror would make errors of them.
function(obol_set_warnings target)
  if(NOT PROJECT_IS_TOP_LEVEL)
    return()
  endif()
  # In a unity build other files' names are in sight, which nobody who reads a file takes for its own.
  set(shadow -Wshadow)
  if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    set(shadow -Wshadow=local)
  endif()
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion ${shadow})
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

# A library of the project that hosts may ask for, obol::NAME: a component of the installed package. Debian packages have
# those that are headers alone.
function(obol_offer_component name)
  add_library(obol::${name} ALIAS obol_${name})
  set_target_properties(obol_${name} PROPERTIES EXPORT_NAME ${name})
  if(OBOL_INSTALL)
    get_target_property(type obol_${name} TYPE)
    set(part obol_adapters)
    if(type STREQUAL "INTERFACE_LIBRARY")
      set(part obol_development)
    endif()
    install(TARGETS obol_${name} EXPORT obol-${name}-targets COMPONENT ${part})
    install(EXPORT obol-${name}-targets NAMESPACE obol:: DESTINATION "${OBOL_CMAKE_DIR}" COMPONENT ${part})
  endif()
endfunction()

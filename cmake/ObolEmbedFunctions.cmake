# Turns a Lua function library into a header: its source, and names that end in the hash of that source.
function(obol_embed_functions lua_file header)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${lua_file}")
  file(SHA256 "${lua_file}" hash)
  string(SUBSTRING "${hash}" 0 16 OBOL_FUNCTIONS_HASH)
  file(READ "${lua_file}" source)
  string(CONFIGURE "${source}" OBOL_FUNCTIONS_SOURCE @ONLY)
  configure_file("${PROJECT_SOURCE_DIR}/cmake/session_functions.hpp.in" "${header}" @ONLY)
endfunction()

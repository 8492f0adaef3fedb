# Installs what BUILD has to PREFIX and fails unless that is EXPECTED: something or nothing. It is moved to its place
# afterwards, so that whatever knows where it was installed to fails.
file(REMOVE_RECURSE "${PREFIX}" "${PREFIX}.before")
file(MAKE_DIRECTORY "${PREFIX}.before")
execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${PREFIX}.before" COMMAND_ERROR_IS_FATAL ANY)
file(RENAME "${PREFIX}.before" "${PREFIX}")
file(GLOB_RECURSE installed "${PREFIX}/*")
if(EXPECTED STREQUAL "nothing" AND installed)
  message(FATAL_ERROR "The project installs Obol, which it only uses: ${installed}")
elseif(EXPECTED STREQUAL "something" AND NOT installed)
  message(FATAL_ERROR "Nothing was installed from ${BUILD}.")
endif()

# Completes the packages' folders by Debian's policy before CPack packs them: copyright, changelogs, a compressed man page,
# and times that depend on SOURCE_DATE_EPOCH alone. Fails if the build is none that a package can be made of.
file(GLOB shared "${CPACK_TEMPORARY_DIRECTORY}/obol_library/usr/lib/*/libobol.so.*")
if(NOT shared)
  message(FATAL_ERROR "There is no libobol.so.* in /usr/lib/TRIPLET to make packages of. "
    "Configure the build with -DBUILD_SHARED_LIBS=ON -DCMAKE_INSTALL_PREFIX=/usr.")
endif()

function(compress file)
  execute_process(COMMAND gzip -9n "${file}" COMMAND_ERROR_IS_FATAL ANY)
endfunction()

string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
set(version "${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}")
foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER "${component}" upper)
  set(root "${CPACK_TEMPORARY_DIRECTORY}/${component}")
  set(documents "${root}/usr/share/doc/${CPACK_DEBIAN_${upper}_PACKAGE_NAME}")
  file(MAKE_DIRECTORY "${documents}")
  file(COPY_FILE "${CPACK_OBOL_CHECKOUT}/packaging/debian/copyright" "${documents}/copyright")
  file(COPY_FILE "${CPACK_OBOL_CHECKOUT}/CHANGELOG.md" "${documents}/changelog")
  file(WRITE "${documents}/changelog.Debian"
    "obol (${version}) ${CPACK_OBOL_DISTRIBUTION}; urgency=medium\n\n"
    "  * Release ${CPACK_PACKAGE_VERSION}; the changelog says what is new.\n\n"
    " -- ${CPACK_PACKAGE_CONTACT}  ${date}\n")
  compress("${documents}/changelog")
  compress("${documents}/changelog.Debian")
  file(GLOB pages "${root}/usr/share/man/man*/*.[1-9]")
  foreach(page IN LISTS pages)
    compress("${page}")
  endforeach()
  execute_process(COMMAND chmod -R u=rwX,go=rX "${root}" COMMAND_ERROR_IS_FATAL ANY)
  if(DEFINED ENV{SOURCE_DATE_EPOCH})
    execute_process(COMMAND find "${root}" -exec touch -h -d "@$ENV{SOURCE_DATE_EPOCH}" {} + COMMAND_ERROR_IS_FATAL ANY)
  endif()
endforeach()

# What CPack needs to make Debian packages of a build: libobolX.Y, libobol-dev and obolctl. docs/consuming.md says how.
if(NOT PROJECT_IS_TOP_LEVEL OR NOT OBOL_INSTALL)
  return()
endif()
set(OBOL_PACKAGE_MAINTAINER "Obol maintainers <maintainers@obol.invalid>" CACHE STRING
  "Who answers for the Debian packages, as NAME <ADDRESS>")

# A package of Debian 13 replaces the same release's of Debian 12.
set(ID debian)
set(VERSION_ID "")
set(VERSION_CODENAME unstable)
if(EXISTS /etc/os-release)
  file(STRINGS /etc/os-release lines REGEX "^(ID|VERSION_ID|VERSION_CODENAME)=")
  foreach(line IN LISTS lines)
    string(REGEX MATCH "^([A-Z_]+)=\"?([^\"]*)\"?$" _ "${line}")
    set(${CMAKE_MATCH_1} "${CMAKE_MATCH_2}")
  endforeach()
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME obol)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_CONTACT "${OBOL_PACKAGE_MAINTAINER}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")  # Each package has a description of its own.
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_DIRECTORY "${PROJECT_BINARY_DIR}/packages")
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_COMPONENTS_ALL obol_library obol_development)
if(OBOL_BUILD_TOOL)
  list(APPEND CPACK_COMPONENTS_ALL obol_tool)
endif()
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_PRE_BUILD_SCRIPTS "${PROJECT_SOURCE_DIR}/packaging/debian/prepare.cmake")
set(CPACK_POST_BUILD_SCRIPTS "${PROJECT_SOURCE_DIR}/packaging/debian/finish.cmake")

set(library "libobol${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")
set(soversion "${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")
set(CPACK_OBOL_CHECKOUT "${PROJECT_SOURCE_DIR}")
set(CPACK_OBOL_DISTRIBUTION "${VERSION_CODENAME}")
set(CPACK_DEBIAN_PACKAGE_RELEASE "1~${ID}${VERSION_ID}")
set(CPACK_DEBIAN_PACKAGE_SOURCE obol)
set(CPACK_DEBIAN_COMPRESSION_TYPE gzip)  # finish.cmake chooses for good.
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_OBOL_LIBRARY_PACKAGE_NAME "${library}")
set(CPACK_DEBIAN_OBOL_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_OBOL_LIBRARY_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_OBOL_LIBRARY_DESCRIPTION "login sessions in Redis or Valkey (shared library)
Obol keeps the login sessions of an auth server in Redis or Valkey: signed,
expiring by themselves, safe under concurrent refreshes, and listed and
revoked per user.
.
This package contains the shared library.")
# A patch release may export more, never less (docs/abi.md).
file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/debian/shlibs" CONTENT
  "libobol ${soversion} ${library} (>= ${PROJECT_VERSION})\n")
set(CPACK_DEBIAN_OBOL_LIBRARY_PACKAGE_CONTROL_EXTRA
  "${PROJECT_BINARY_DIR}/debian/shlibs" "${PROJECT_SOURCE_DIR}/packaging/debian/triggers")

set(CPACK_DEBIAN_OBOL_DEVELOPMENT_PACKAGE_NAME libobol-dev)
set(CPACK_DEBIAN_OBOL_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_OBOL_DEVELOPMENT_PACKAGE_DEPENDS
  "${library} (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")
set(CPACK_DEBIAN_OBOL_DEVELOPMENT_PACKAGE_SUGGESTS "libasio-dev, libboost-dev (>= 1.81) | libboost1.81-dev, nlohmann-json3-dev, obolctl")
set(CPACK_DEBIAN_OBOL_DEVELOPMENT_DESCRIPTION "login sessions in Redis or Valkey (development files)
Obol keeps the login sessions of an auth server in Redis or Valkey: signed,
expiring by themselves, safe under concurrent refreshes, and listed and
revoked per user.
.
This package contains what it takes to build programs with Obol: the headers,
and what CMake and pkg-config read.")

set(CPACK_DEBIAN_OBOL_TOOL_PACKAGE_NAME obolctl)
set(CPACK_DEBIAN_OBOL_TOOL_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_OBOL_TOOL_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_OBOL_TOOL_DESCRIPTION "login sessions in Redis or Valkey (operator's tool)
Obol keeps the login sessions of an auth server in Redis or Valkey: signed,
expiring by themselves, safe under concurrent refreshes, and listed and
revoked per user.
.
obolctl shows who is logged in, logs out sessions, explains why a session does
not verify, moves sessions to another server and retires keys.")
include(CPack)

# Packs each package again, with dpkg-deb, without the scripts that CPack adds: they call ldconfig, which the trigger does.
# dpkg-deb sorts the files; so the same build gives the same bytes.
foreach(package IN LISTS CPACK_PACKAGE_FILES)
  execute_process(COMMAND dpkg-deb --raw-extract "${package}" "${package}.root" COMMAND_ERROR_IS_FATAL ANY)
  file(REMOVE "${package}.root/DEBIAN/postinst" "${package}.root/DEBIAN/postrm")
  execute_process(COMMAND dpkg-deb --root-owner-group -Zxz --build "${package}.root" "${package}"
    OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  file(REMOVE_RECURSE "${package}.root")
endforeach()

# The Debian package: scripts/package, or `cpack -G DEB` in a build folder.
install(TARGETS hookd hookctl DESTINATION usr/bin)
install(FILES "${CMAKE_SOURCE_DIR}/config/hookd.default.yaml" DESTINATION etc/hookd RENAME hookd.yaml)
install(DIRECTORY "${CMAKE_SOURCE_DIR}/config/profiles" "${CMAKE_SOURCE_DIR}/config/templates"
        DESTINATION usr/share/hookd)
install(FILES "${CMAKE_SOURCE_DIR}/deploy/systemd/hookd.service" DESTINATION lib/systemd/system)
install(FILES "${CMAKE_SOURCE_DIR}/deploy/debian/copyright" "${CMAKE_SOURCE_DIR}/README.md"
              "${CMAKE_SOURCE_DIR}/CHANGELOG.md" DESTINATION usr/share/doc/hookd)
install(DIRECTORY "${CMAKE_SOURCE_DIR}/docs/" DESTINATION usr/share/doc/hookd FILES_MATCHING PATTERN "*.md"
        PATTERN adr EXCLUDE)
install(DIRECTORY "${CMAKE_SOURCE_DIR}/deploy/prometheus" "${CMAKE_SOURCE_DIR}/deploy/grafana"
        DESTINATION usr/share/doc/hookd/examples)

# What the binaries at hand are made of, with versions and licences.
install(CODE "execute_process(COMMAND \"${CMAKE_SOURCE_DIR}/scripts/sbom\" \"${CMAKE_BINARY_DIR}\" ${PROJECT_VERSION}
  \"${CMAKE_BINARY_DIR}/sbom.cdx.json\" COMMAND_ERROR_IS_FATAL ANY)")
install(FILES "${CMAKE_BINARY_DIR}/sbom.cdx.json" DESTINATION usr/share/doc/hookd)

set(CPACK_PACKAGE_NAME hookd)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_VENDOR hookd)
set(CPACK_PACKAGE_CONTACT "hookd <hookd@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "sends webhooks: durable, in order, at least once")
set(CPACK_PACKAGING_INSTALL_PREFIX "/")
set(CPACK_PACKAGE_DIRECTORY "${CMAKE_BINARY_DIR}/package")
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR DEB)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "hookd takes events over gRPC, makes them durable, and delivers each to every\n"
    "URL that its subscribers registered. hookctl is its command line.")
string(REPLACE ";" "" CPACK_DEBIAN_PACKAGE_DESCRIPTION "${CPACK_DEBIAN_PACKAGE_DESCRIPTION}")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
foreach(script IN ITEMS postinst prerm postrm conffiles)
  list(APPEND CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA "${CMAKE_SOURCE_DIR}/deploy/debian/${script}")
endforeach()
include(CPack)

# cmake --install BUILD [--component programs|library]: the programs with their manual pages,
# completions and unit, and libknarr for embedders. `knarr` finds the other programs in
# ../libexec/knarr of its own directory (platform/spawn.h).

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(KNARR_LIBEXEC ${CMAKE_INSTALL_LIBEXECDIR}/knarr)

install(TARGETS knarr RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT programs)
install(TARGETS knarr-monitor knarr-init knarr-pull
        RUNTIME DESTINATION ${KNARR_LIBEXEC} COMPONENT programs)

# What knarr says of itself.
set(made ${PROJECT_BINARY_DIR}/made)
install(CODE "
    file(REMOVE_RECURSE \"${made}\")
    execute_process(COMMAND \"${PROJECT_SOURCE_DIR}/tools/man\" \"$<TARGET_FILE:knarr>\" \"${made}/man1\"
                    COMMAND_ERROR_IS_FATAL ANY)
    foreach(shell bash zsh fish)
        execute_process(COMMAND \"$<TARGET_FILE:knarr>\" completion \${shell}
                        OUTPUT_FILE \"${made}/\${shell}\" COMMAND_ERROR_IS_FATAL ANY)
    endforeach()" COMPONENT programs)
install(DIRECTORY ${made}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT programs)
install(FILES ${made}/bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
        RENAME knarr COMPONENT programs)
install(FILES ${made}/zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions
        RENAME _knarr COMPONENT programs)
install(FILES ${made}/fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d
        RENAME knarr.fish COMPONENT programs)

foreach(name knarr.service knarr-recover.service knarr-recover.timer)
    file(READ ${PROJECT_SOURCE_DIR}/systemd/${name} unit)
    string(REPLACE "/usr/bin/knarr" "${CMAKE_INSTALL_FULL_BINDIR}/knarr" unit "${unit}")
    string(REGEX REPLACE "# Install:[^\n]*\n" "# Enable: systemctl enable --now ${name}\n" unit "${unit}")
    file(WRITE ${PROJECT_BINARY_DIR}/${name} "${unit}")
    install(FILES ${PROJECT_BINARY_DIR}/${name} DESTINATION lib/systemd/system
            COMPONENT programs)
endforeach()

# The objects of a link-time build are no library for other compilers.
if(CMAKE_CXX_FLAGS MATCHES "-flto")
    return()
endif()
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/knarr)
install(TARGETS libknarr knarr_interface EXPORT knarr-targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/knarr DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        COMPONENT library)
install(EXPORT knarr-targets NAMESPACE knarr:: DESTINATION ${package} COMPONENT library)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/knarr-config.cmake.in
                              ${PROJECT_BINARY_DIR}/knarr-config.cmake INSTALL_DESTINATION ${package}
                              PATH_VARS KNARR_LIBEXEC)
# Before 1.0 a minor version may break things; there is no promise about binaries at all.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/knarr-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/knarr-config.cmake
        ${PROJECT_BINARY_DIR}/knarr-config-version.cmake DESTINATION ${package} COMPONENT library)

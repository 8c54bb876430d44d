# SPDX-License-Identifier: MIT
# Installation: the library, its headers, a CMake package and a pkg-config file. No header and no
# library of wolfSSL or liburing is installed.

include(CMakePackageConfigHelpers)

set(_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/lockring")

install(TARGETS lockring EXPORT lockringTargets
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT lockringTargets NAMESPACE lockring:: DESTINATION "${_package_dir}")

configure_package_config_file(tools/cmake/lockringConfig.cmake.in
    "${PROJECT_BINARY_DIR}/lockringConfig.cmake" INSTALL_DESTINATION "${_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/lockringConfigVersion.cmake"
    COMPATIBILITY SameMinorVersion)
install(FILES
    "${PROJECT_BINARY_DIR}/lockringConfig.cmake"
    "${PROJECT_BINARY_DIR}/lockringConfigVersion.cmake"
    DESTINATION "${_package_dir}")

# The .pc file finds its prefix by its own place, so that an installed tree can be moved.
foreach(_dir IN ITEMS INCLUDEDIR LIBDIR)
    if(IS_ABSOLUTE "${CMAKE_INSTALL_${_dir}}")
        set(LOCKRING_PC_${_dir} "${CMAKE_INSTALL_${_dir}}")
    else()
        set(LOCKRING_PC_${_dir} "\${prefix}/${CMAKE_INSTALL_${_dir}}")
    endif()
endforeach()
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
    set(LOCKRING_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
else()
    file(RELATIVE_PATH _up "/p/${CMAKE_INSTALL_LIBDIR}/pkgconfig" /p)
    set(LOCKRING_PC_PREFIX "\${pcfiledir}/${_up}")
endif()
configure_file(tools/cmake/lockring.pc.in "${PROJECT_BINARY_DIR}/lockring.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/lockring.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(DIRECTORY LICENSES DESTINATION "${CMAKE_INSTALL_DOCDIR}")

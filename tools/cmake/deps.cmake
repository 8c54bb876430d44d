# SPDX-License-Identifier: MIT
# wolfSSL and liburing: lockring_dep_wolfssl and lockring_dep_liburing.
#
# LOCKRING_DEPS names a prefix that tools/deps made; without it tools/deps is called here.
# LOCKRING_SYSTEM_WOLFSSL names a folder with include/ and lib/ of somebody's own wolfSSL build.

set(LOCKRING_DEPS "" CACHE PATH "Prefix made by tools/deps; empty: call it")
set(LOCKRING_SYSTEM_WOLFSSL "" CACHE PATH "Folder with include/ and lib/ of another wolfSSL build")

set(_deps "${LOCKRING_DEPS}")
if(NOT _deps)
    if("address" IN_LIST LOCKRING_SANITIZE)
        set(_variant asan)
    elseif("thread" IN_LIST LOCKRING_SANITIZE)
        set(_variant tsan)
    else()
        set(_variant plain)
    endif()
    message(STATUS "Dependencies: tools/deps --variant ${_variant} --cc ${CMAKE_C_COMPILER}")
    execute_process(
        COMMAND "${PROJECT_SOURCE_DIR}/tools/deps" --variant ${_variant} --cc "${CMAKE_C_COMPILER}"
        OUTPUT_VARIABLE _deps
        OUTPUT_STRIP_TRAILING_WHITESPACE
        RESULT_VARIABLE _result
    )
    if(NOT _result EQUAL 0)
        message(FATAL_ERROR "tools/deps failed; its message is above")
    endif()
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
        "${PROJECT_SOURCE_DIR}/tools/deps"
        "${PROJECT_SOURCE_DIR}/tools/wolfssl/user_settings.h")
endif()
if(NOT EXISTS "${_deps}/liburing/lib/liburing.a")
    message(FATAL_ERROR "${_deps} is not a prefix made by tools/deps")
endif()
message(STATUS "Dependencies: ${_deps}")

add_library(lockring_dep_liburing INTERFACE)
target_include_directories(lockring_dep_liburing SYSTEM INTERFACE "${_deps}/liburing/include")
set(LOCKRING_LIBURING_LIBRARY "${_deps}/liburing/lib/liburing.a")

set(_wolfssl "${_deps}/wolfssl")
if(LOCKRING_SYSTEM_WOLFSSL)
    set(_wolfssl "${LOCKRING_SYSTEM_WOLFSSL}")
endif()
if(EXISTS "${_wolfssl}/include/user_settings.h")
    set(_wolfssl_definition WOLFSSL_USER_SETTINGS)
else()
    set(_wolfssl_definition WOLFSSL_USE_OPTIONS_H)
endif()
unset(LOCKRING_WOLFSSL_LIBRARY CACHE)
find_library(LOCKRING_WOLFSSL_LIBRARY NAMES libwolfssl.a wolfssl PATHS "${_wolfssl}/lib"
    NO_DEFAULT_PATH REQUIRED)
mark_as_advanced(LOCKRING_WOLFSSL_LIBRARY)
if(NOT BUILD_SHARED_LIBS AND NOT LOCKRING_WOLFSSL_LIBRARY MATCHES "\\.a$")
    message(FATAL_ERROR "A static liblockring contains wolfSSL: ${_wolfssl}/lib has no libwolfssl.a")
endif()

add_library(lockring_dep_wolfssl INTERFACE)
target_include_directories(lockring_dep_wolfssl SYSTEM INTERFACE "${_wolfssl}/include")
target_compile_definitions(lockring_dep_wolfssl INTERFACE ${_wolfssl_definition})

# Older releases have holes that a TLS server cannot have, and two settings write secrets to files.
# Both are checked by the compiler, with the same headers and definitions as core/tls.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
unset(_wolfssl_fits CACHE)
try_compile(_wolfssl_fits
    "${PROJECT_BINARY_DIR}/check_wolfssl" "${PROJECT_SOURCE_DIR}/tools/cmake/check_wolfssl.c"
    CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${_wolfssl}/include"
    COMPILE_DEFINITIONS -D${_wolfssl_definition}
    OUTPUT_VARIABLE _output
)
unset(CMAKE_TRY_COMPILE_TARGET_TYPE)
if(NOT _wolfssl_fits)
    message(FATAL_ERROR "The wolfSSL in ${_wolfssl} does not fit:\n${_output}")
endif()

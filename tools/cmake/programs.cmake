# SPDX-License-Identifier: MIT
# The programs and the examples. All lie in bin/ of the build folder.

# lockring_program(NAME SOURCES...): links the library and the protocols.
function(lockring_program NAME)
    add_executable(${NAME} ${ARGN})
    target_link_libraries(${NAME} PRIVATE lockring_common lockring_proto lockring)
    set_target_properties(${NAME} PROPERTIES
        POSITION_INDEPENDENT_CODE ON
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
endfunction()

if(LOCKRING_BUILD_TOOLS)
    # The status page, inside the program.
    set(_page "${PROJECT_SOURCE_DIR}/tools/status_page.html")
    set(_embed "${PROJECT_SOURCE_DIR}/tools/cmake/embed_page.cmake")
    add_custom_command(
        OUTPUT "${PROJECT_BINARY_DIR}/status_page.c"
        COMMAND "${CMAKE_COMMAND}" "-DPAGE=${_page}" "-DOUT=${PROJECT_BINARY_DIR}/status_page.c" -P
            "${_embed}"
        DEPENDS "${_page}" "${_embed}"
        VERBATIM)
    add_library(lockring_serve_stats STATIC
        tools/serve_stats.c "${PROJECT_BINARY_DIR}/status_page.c")
    target_link_libraries(lockring_serve_stats PRIVATE lockring_common PUBLIC lockring_proto lockring)
    target_include_directories(lockring_serve_stats PRIVATE "${PROJECT_SOURCE_DIR}")
    set_target_properties(lockring_serve_stats PROPERTIES POSITION_INDEPENDENT_CODE ON)

    foreach(_tool IN LISTS LOCKRING_TOOLS)
        string(REPLACE "_" "-" _program ${_tool})
        lockring_program(${_program} tools/${_tool}.c ${LOCKRING_TOOL_SOURCES_${_tool}})
        target_include_directories(${_program} PRIVATE "${PROJECT_SOURCE_DIR}")
        target_link_libraries(${_program} PRIVATE lockring_serve_stats)
        install(TARGETS ${_program} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
        install(FILES "docs/man/${_program}.1" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
    endforeach()
endif()

if(LOCKRING_BUILD_EXAMPLES)
    lockring_program(tls-echo docs/examples/echo.c)
    lockring_program(tls-chat docs/examples/chat.c)
    lockring_program(tls-forward docs/examples/forward.c)
    lockring_program(tls-lines docs/examples/timer_and_file.c)
    lockring_program(tls-names docs/examples/names.c)
    lockring_program(tls-redis-sessions docs/examples/redis_sessions.c)
    lockring_program(tls-sessions docs/examples/sessions.c)
    lockring_program(tls-ways docs/examples/ways.c)
    lockring_program(http-hello docs/examples/http_hello.c)
endif()

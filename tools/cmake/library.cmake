# SPDX-License-Identifier: MIT
# The library: one object library per folder, so that a folder sees only the headers it may see;
# lockring (for programs) and lockring_private (for tests) are made of the same objects.

find_package(Threads REQUIRED)

configure_file(include/lockring/version.h.in "${PROJECT_BINARY_DIR}/include/lockring/version.h" @ONLY)

set(LOCKRING_OBJECTS)
set(LOCKRING_OBJECT_TARGETS)

# lockring_folder(NAME SOURCES... [LIBRARIES ...]): lockring_NAME_objs.
function(lockring_folder NAME)
    cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES" ${ARGN})
    add_library(lockring_${NAME}_objs OBJECT ${ARG_SOURCES})
    target_link_libraries(lockring_${NAME}_objs PRIVATE
        lockring_common Threads::Threads ${ARG_LIBRARIES})
    target_include_directories(lockring_${NAME}_objs PRIVATE
        "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/include" "${PROJECT_BINARY_DIR}/include")
    # The thread-local variables take a few bytes, so a shared library too may address them directly.
    target_compile_options(lockring_${NAME}_objs PRIVATE -ftls-model=initial-exec)
    set_target_properties(lockring_${NAME}_objs PROPERTIES
        POSITION_INDEPENDENT_CODE ON
        INTERPROCEDURAL_OPTIMIZATION ${LOCKRING_LTO})
    set(LOCKRING_OBJECTS ${LOCKRING_OBJECTS} $<TARGET_OBJECTS:lockring_${NAME}_objs> PARENT_SCOPE)
    set(LOCKRING_OBJECT_TARGETS ${LOCKRING_OBJECT_TARGETS} lockring_${NAME}_objs PARENT_SCOPE)
endfunction()

lockring_folder(base SOURCES ${LOCKRING_BASE_SOURCES})
lockring_folder(io SOURCES ${LOCKRING_IO_SOURCES} LIBRARIES lockring_dep_liburing)
lockring_folder(tls SOURCES ${LOCKRING_TLS_SOURCES} LIBRARIES lockring_dep_wolfssl)
lockring_folder(run SOURCES ${LOCKRING_RUN_SOURCES})

if(BUILD_SHARED_LIBS)
    # Only the version script's names are exported, so wolfSSL and liburing stay inside.
    add_library(lockring SHARED ${LOCKRING_OBJECTS})
    target_link_libraries(lockring PRIVATE
        ${LOCKRING_WOLFSSL_LIBRARY} ${LOCKRING_LIBURING_LIBRARY} Threads::Threads
        $<BUILD_INTERFACE:lockring_hardening>)
    target_link_options(lockring PRIVATE
        "-Wl,--version-script=${PROJECT_SOURCE_DIR}/tools/cmake/lockring.map"
        -Wl,--exclude-libs,ALL
        $<$<NOT:$<BOOL:${LOCKRING_SANITIZE}>>:-Wl,-z,defs>)
    set_target_properties(lockring PROPERTIES
        LINK_DEPENDS "${PROJECT_SOURCE_DIR}/tools/cmake/lockring.map"
        INTERPROCEDURAL_OPTIMIZATION ${LOCKRING_LTO}
        VERSION ${PROJECT_VERSION}
        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
else()
    # All objects and the archive members they need become one object, in which every other name
    # is then made local: a program may link this archive and another wolfSSL.
    set(_object "${PROJECT_BINARY_DIR}/liblockring.o")
    add_custom_command(
        OUTPUT "${_object}"
        COMMAND "${CMAKE_C_COMPILER}" -r -nostdlib
            "$<$<BOOL:${LOCKRING_LTO}>:-flto;-O3;-flinker-output=nolto-rel>"
            -o "${_object}" ${LOCKRING_OBJECTS}
            -Wl,--start-group "${LOCKRING_WOLFSSL_LIBRARY}" "${LOCKRING_LIBURING_LIBRARY}" -Wl,--end-group
        COMMAND "${CMAKE_OBJCOPY}" --wildcard "--keep-global-symbol=lr_[a-z]*" "${_object}"
        DEPENDS ${LOCKRING_OBJECT_TARGETS} ${LOCKRING_OBJECTS}
            "${LOCKRING_WOLFSSL_LIBRARY}" "${LOCKRING_LIBURING_LIBRARY}"
        COMMAND_EXPAND_LISTS
        VERBATIM
        COMMENT "Linking liblockring.o with wolfSSL and liburing inside"
    )
    add_library(lockring STATIC "${_object}")
    set_source_files_properties("${_object}" PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
    set_target_properties(lockring PROPERTIES LINKER_LANGUAGE C)
    target_link_libraries(lockring PRIVATE Threads::Threads)
endif()
add_library(lockring::lockring ALIAS lockring)
target_link_libraries(lockring PUBLIC $<BUILD_INTERFACE:lockring_sanitizers>)
target_sources(lockring PUBLIC FILE_SET HEADERS
    BASE_DIRS include "${PROJECT_BINARY_DIR}/include"
    FILES ${LOCKRING_PUBLIC_HEADERS} "${PROJECT_BINARY_DIR}/include/lockring/version.h")

# For tests and benchmarks: every symbol reachable, private headers in the path.
add_library(lockring_private STATIC ${LOCKRING_OBJECTS})
set_target_properties(lockring_private PROPERTIES
    LINKER_LANGUAGE C
    INTERPROCEDURAL_OPTIMIZATION ${LOCKRING_LTO})
target_include_directories(lockring_private PUBLIC
    "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/include" "${PROJECT_BINARY_DIR}/include")
target_link_libraries(lockring_private PUBLIC
    lockring_sanitizers ${LOCKRING_WOLFSSL_LIBRARY} ${LOCKRING_LIBURING_LIBRARY} Threads::Threads)

# Protocols for handlers; they see what a program sees, and core/base.
add_library(lockring_proto STATIC ${LOCKRING_PROTO_SOURCES})
target_link_libraries(lockring_proto PRIVATE lockring_common PUBLIC lockring)
target_include_directories(lockring_proto PUBLIC "${PROJECT_SOURCE_DIR}")
set_target_properties(lockring_proto PROPERTIES POSITION_INDEPENDENT_CODE ON)

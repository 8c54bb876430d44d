# SPDX-License-Identifier: MIT
# Compile and link flags as INTERFACE targets. Nothing here is global.

include(CheckCCompilerFlag)
include(CheckPIESupported)

check_pie_supported(LANGUAGES C)

# Warnings.
add_library(lockring_warnings INTERFACE)
target_compile_options(lockring_warnings INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
    -Wswitch-enum -Wundef -Wwrite-strings
    $<$<BOOL:${LOCKRING_WERROR}>:-Werror>
)

# Sanitizers. A library target carries them to whoever links it inside the build tree.
add_library(lockring_sanitizers INTERFACE)
if(LOCKRING_SANITIZE)
    list(JOIN LOCKRING_SANITIZE "," _sanitize)
    target_compile_options(lockring_sanitizers INTERFACE
        -fsanitize=${_sanitize} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(lockring_sanitizers INTERFACE -fsanitize=${_sanitize})
endif()
if(LOCKRING_BUILD_FUZZ)
    target_compile_options(lockring_sanitizers INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Hardening. _FORTIFY_SOURCE needs optimisation and hides errors from the sanitizers.
add_library(lockring_hardening INTERFACE)
foreach(_flag IN ITEMS -fstack-protector-strong -fstack-clash-protection -fcf-protection
        -ftrivial-auto-var-init=zero)
    string(MAKE_C_IDENTIFIER "LOCKRING_HAS${_flag}" _has)
    check_c_compiler_flag(${_flag} ${_has})
    if(${_has})
        target_compile_options(lockring_hardening INTERFACE ${_flag})
    endif()
endforeach()
if(NOT LOCKRING_SANITIZE)
    target_compile_options(lockring_hardening INTERFACE
        $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE>
        $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=3>
    )
endif()
target_link_options(lockring_hardening INTERFACE
    -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,separate-code)

# What every C file of this project is compiled with.
add_library(lockring_common INTERFACE)
target_link_libraries(lockring_common INTERFACE
    lockring_warnings lockring_sanitizers lockring_hardening)
target_compile_definitions(lockring_common INTERFACE
    _GNU_SOURCE $<$<BOOL:${LOCKRING_DCHECK}>:LOCKRING_DCHECK>)
target_compile_options(lockring_common INTERFACE
    -fvisibility=hidden -fno-common "-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=")

# Link-time optimisation. The static library is a partial link, which clang cannot make of bitcode.
if(LOCKRING_LTO)
    include(CheckIPOSupported)
    check_ipo_supported(LANGUAGES C)
    if(NOT CMAKE_C_COMPILER_ID STREQUAL "GNU" AND NOT BUILD_SHARED_LIBS)
        message(FATAL_ERROR "LOCKRING_LTO with a static library needs gcc; "
            "with clang set BUILD_SHARED_LIBS=ON")
    endif()
endif()

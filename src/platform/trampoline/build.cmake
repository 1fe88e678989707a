# The exec trampoline (stub.cpp): a static program of its own without libc, whose bytes become part
# of knarr_platform (platform/trampoline_image.S).
add_executable(knarr_trampoline platform/trampoline/stub.cpp)
set_target_properties(knarr_trampoline PROPERTIES
                      POSITION_INDEPENDENT_CODE OFF
                      RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/trampoline)
target_compile_options(knarr_trampoline PRIVATE
                       -Os -g0 -std=c++20 -ffreestanding -fno-pie -fno-lto -fno-sanitize=all
                       -fno-stack-protector -fno-exceptions -fno-rtti -fno-unwind-tables
                       -fno-asynchronous-unwind-tables -Wall -Wextra -Werror)
# One segment, readable and executable: code and constants share a page, nothing is writable.
target_link_options(knarr_trampoline PRIVATE
                    -static -nostdlib -no-pie -fno-lto -fno-sanitize=all -s -Wl,--build-id=none
                    -Wl,-z,noseparate-code -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack)
set(knarr_trampoline_file ${CMAKE_CURRENT_BINARY_DIR}/trampoline/knarr_trampoline)
set_source_files_properties(${CMAKE_CURRENT_SOURCE_DIR}/platform/trampoline_image.S PROPERTIES
                            COMPILE_DEFINITIONS "KNARR_TRAMPOLINE_FILE=\"${knarr_trampoline_file}\""
                            OBJECT_DEPENDS ${knarr_trampoline_file})
add_dependencies(knarr_platform knarr_trampoline)

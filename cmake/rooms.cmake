# One CMake target per room of the house (docs/architecture.md).

# knarr_room(NAME DEPS...) makes the static library knarr_NAME from src/NAME/**.cpp and, when tests
# are on, the program NAME_tests from the *_test.cpp files beside the code.
# Room names with a slash are folders inside a room (runtime/native -> knarr_runtime_native).
function(knarr_room name)
    string(REPLACE "/" "_" target ${name})
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp
         ${PROJECT_SOURCE_DIR}/src/${name}/*.S)
    set(tests ${sources})
    list(FILTER sources EXCLUDE REGEX "(_test|/main)\\.cpp$")  # main.cpp: see knarr_program
    list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
    list(TRANSFORM ARGN PREPEND knarr_ OUTPUT_VARIABLE deps)
    if(sources)
        add_library(knarr_${target} STATIC ${sources})
        target_link_libraries(knarr_${target} PUBLIC knarr_interface ${deps} PRIVATE knarr_build)
    else()
        add_library(knarr_${target} INTERFACE)
        target_link_libraries(knarr_${target} INTERFACE knarr_interface ${deps})
    endif()
    if(KNARR_TESTS AND tests)
        add_executable(${target}_tests ${tests})
        target_link_libraries(${target}_tests PRIVATE knarr_${target} GTest::gtest_main)
        knarr_executable(${target}_tests)
        if(EXISTS ${PROJECT_SOURCE_DIR}/src/${name}/testdata)
            target_compile_definitions(${target}_tests PRIVATE
                                       KNARR_TESTDATA="${PROJECT_SOURCE_DIR}/src/${name}/testdata")
        endif()
        gtest_discover_tests(${target}_tests DISCOVERY_MODE PRE_TEST)
    endif()
endfunction()

# knarr_executable(TARGET) is compiled and linked as all of our programs are.
function(knarr_executable target)
    target_link_libraries(${target} PRIVATE knarr_build)
    target_link_options(${target} PRIVATE -Wl,--gc-sections -Wl,-z,relro,-z,now)
endfunction()

# knarr_for_speed(ROOM...): where a build is for size (-Os), rooms that loop over bytes are not.
function(knarr_for_speed)
    if(CMAKE_CXX_FLAGS MATCHES "-Os")
        foreach(room ${ARGN})
            target_compile_options(knarr_${room} PRIVATE -O2)
        endforeach()
    endif()
endfunction()

# knarr_static(TARGET) links a program fully static, as position independent code.
# Relative relocations are packed: 24 bytes each, all read at every start, become some bits.
function(knarr_static target)
    if(KNARR_STATIC)
        target_link_options(${target} PRIVATE -static-pie -Wl,-z,pack-relative-relocs)
    endif()
endfunction()

# knarr_layout(TARGET) puts what a launch executes side by side, as tools/layout has seen it.
function(knarr_layout target)
    if(KNARR_LAYOUT)
        set(layout ${PROJECT_SOURCE_DIR}/cmake/launch.ld)
        # The link compiles (-flto): it needs the option, too.
        target_link_options(${target} PRIVATE -ffunction-sections -fdata-sections -Wl,-T,${layout})
        set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${layout})
    endif()
endfunction()

# knarr_program(NAME ROOM) makes the program NAME from src/ROOM/main.cpp and its room.
function(knarr_program name room)
    add_executable(${name} ${PROJECT_SOURCE_DIR}/src/${room}/main.cpp)
    target_link_libraries(${name} PRIVATE knarr_${room})
    knarr_executable(${name})
endfunction()

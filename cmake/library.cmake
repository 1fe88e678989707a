# libknarr.a: what an embedder links, as the target knarr::knarr of this build tree or of an
# installed one (docs/embedding.md). It is the objects of the rooms below the front doors.

set(rooms)
foreach(room core spec platform rpc bundle runtime/launch runtime/native runtime store erofs layer
             image engine)
    string(REPLACE "/" "_" target ${room})
    get_target_property(type knarr_${target} TYPE)
    if(type STREQUAL STATIC_LIBRARY)
        list(APPEND rooms $<TARGET_OBJECTS:knarr_${target}>)
    endif()
endforeach()
add_library(libknarr STATIC ${rooms})
set_target_properties(libknarr PROPERTIES OUTPUT_NAME knarr EXPORT_NAME knarr LINKER_LANGUAGE CXX)
target_link_libraries(libknarr PUBLIC knarr_interface)
# By their files: a package looks for its own (cmake/knarr-config.cmake.in).
target_link_libraries(libknarr INTERFACE $<BUILD_INTERFACE:${KNARR_ZSTD}> $<BUILD_INTERFACE:${KNARR_CRYPTO}>
                      $<INSTALL_INTERFACE:knarr::zstd> $<INSTALL_INTERFACE:knarr::crypto>)
if(CMAKE_CXX_FLAGS MATCHES "-flto")
    set_target_properties(libknarr PROPERTIES EXCLUDE_FROM_ALL ON)  # and not installed
endif()
add_library(knarr::knarr ALIAS libknarr)

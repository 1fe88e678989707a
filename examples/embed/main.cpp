// Runs an OCI bundle from a program of your own, without the knarr command:
//
//     embed STATE_DIR BUNDLE_DIR
//
// Link the CMake target `knarr::knarr`, as CMakeLists.txt beside this does. The headers in
// include/knarr are all that is needed; docs/embedding.md says the rest.

#include <cstdio>

#include "knarr/engine.h"
#include "knarr/unwritable.h"

namespace {

knarr::Result<int> run(const char* state_dir, const char* bundle) {
    knarr::Engine engine = KNARR_TRY(knarr::Engine::open({
        .root = state_dir,
        .warn =
            [](std::string_view text) {
                std::fprintf(stderr, "warning: %.*s\n", static_cast<int>(text.size()), text.data());
            },
    }));
    KNARR_TRY(engine.create({.id = "embedded", .bundle = bundle}));
    // Everything is set up; nothing of the bundle's program has run yet.
    knarr::Result<> started = engine.start("embedded");
    knarr::Result<std::optional<int>> code =
        started ? engine.wait("embedded") : knarr::fail(std::move(started).error());
    // Also after a failure: nothing stays behind.
    KNARR_TRY(engine.remove("embedded", knarr::RemoveMode::force));
    return KNARR_TRY(std::move(code)).value_or(0);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fputs("usage: embed STATE_DIR BUNDLE_DIR\n", stderr);
        return 2;
    }
    // First of all, before there are threads: no container can overwrite this program's file.
    if (const knarr::Result<> safe = knarr::run_from_unwritable_file(); !safe) {
        std::fprintf(stderr, "embed: %s\n", safe.error().message.c_str());
        return knarr::describe(safe.error().code).exit_status;
    }
    const knarr::Result<int> code = run(argv[1], argv[2]);
    if (!code) {
        std::fprintf(stderr, "embed: %s\n", code.error().message.c_str());
        return knarr::describe(code.error().code).exit_status;
    }
    std::printf("the container ended with %d\n", *code);
    return *code;
}

// Runs an OCI bundle from a program of your own, without the knarr command:
//
//     embed STATE_DIR BUNDLE_DIR
//
// Link the CMake target `libknarr`. The headers in include/knarr are all that is needed.

#include <cstdio>

#include "knarr/engine.h"

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
    const knarr::Result<int> code = run(argv[1], argv[2]);
    if (!code) {
        std::fprintf(stderr, "embed: %s\n", code.error().message.c_str());
        return knarr::describe(code.error().code).exit_status;
    }
    std::printf("the container ended with %d\n", *code);
    return *code;
}

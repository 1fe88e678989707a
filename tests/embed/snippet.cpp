// The snippet at the top of knarr/engine.h, word for word (tests/integration/test_embed.py compares
// them), and uses of what has default members: both must compile without a warning.

#include "knarr/engine.h"
#include "knarr/unwritable.h"

namespace {

knarr::Result<> run_web() {
    knarr::Engine engine = KNARR_TRY(knarr::Engine::open({.root = "/run/knarr"}));
    KNARR_TRY(engine.create({.id = "web", .bundle = "/bundles/web"}));
    KNARR_TRY(engine.start("web"));
    KNARR_TRY(engine.wait("web"));
    return engine.remove("web", knarr::RemoveMode::when_stopped);
}

knarr::Result<int> run_an_image(knarr::Engine& engine) {
    return engine.run_image({.image = "docker.io/library/busybox", .command = {"true"}}, {});
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 1) {  // never in a test
        return run_web() ? 0 : 1;
    }
    auto engine = knarr::Engine::open({.root = argv[0]});
    static_cast<void>(engine ? run_an_image(*engine) : knarr::Result<int>(0));
    return 0;
}

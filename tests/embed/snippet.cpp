// What knarr/engine.h and docs/embedding.md show, word for word (tests/integration/test_embed.py
// compares them): it must compile without a warning, and so must requests that name few members.

#include <array>
#include <optional>

#include <poll.h>

#include "knarr/engine.h"
#include "knarr/operation.h"
#include "knarr/unwritable.h"

namespace {

knarr::Result<> run_web() {
    knarr::Engine engine = KNARR_TRY(knarr::Engine::open({.root = "/run/knarr"}));
    KNARR_TRY(engine.create({.id = "web", .bundle = "/bundles/web"}));
    KNARR_TRY(engine.start("web"));
    KNARR_TRY(engine.wait("web"));
    return engine.remove("web", knarr::RemoveMode::when_stopped);
}

knarr::Result<> remove_quietly(knarr::Engine& engine, const std::string& id) {
    knarr::Result<> removed = engine.remove(id, knarr::RemoveMode::when_stopped);
    if (!removed && removed.error().code == knarr::Errc::not_found) {
        return {};
    }
    return removed;
}

knarr::Result<int> run_once(knarr::Engine& engine) {
    // The value, or return the Error with this context before its message.
    const std::string id =
        KNARR_TRY(engine.pull_image("docker.io/library/busybox", {}, {}), "before the run");
    return engine.run_image({.image = id, .command = {"true"}, .remove = true}, {});
}

std::optional<int> serve(knarr::Engine& engine, int requests_fd) {
    auto waiting = knarr::Operation<std::optional<int>>::begin(
        [&engine](int cancel_fd) { return engine.wait("web", cancel_fd); });
    if (!waiting) {
        return std::nullopt;
    }
    std::array<pollfd, 2> items{pollfd{.fd = waiting->fd(), .events = POLLIN, .revents = 0},
                                pollfd{.fd = requests_fd, .events = POLLIN, .revents = 0}};
    poll(items.data(), items.size(), -1);
    if (items[0].revents == 0) {
        waiting->cancel();  // there is something else to do
    }
    return waiting->take().value_or(std::nullopt);  // Errc::interrupted when it was cancelled
}

knarr::Result<int> all(const char* root) {
    knarr::Engine engine = KNARR_TRY(knarr::Engine::open({.root = root}));
    KNARR_TRY(remove_quietly(engine, "web"));
    KNARR_TRY(run_web());
    static_cast<void>(serve(engine, 0));
    return run_once(engine);
}

}  // namespace

// It is compiled, and not run.
int main(int argc, char** argv) {
    if (const knarr::Result<> safe = knarr::run_from_unwritable_file(); !safe) {
        return knarr::describe(safe.error().code).exit_status;
    }
    return argc == 2 && all(argv[1]) ? 0 : 1;
}

// Lifecycles as operations that one thread polls, for tests/integration/test_embed.py:
//
//     embed_operations STATE_DIR BUNDLE_DIR COUNT
//
// COUNT containers at once, each of them by one operation after another; the bundle's program goes
// on until it is killed. Afterwards the same calls are cancelled.

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <poll.h>

#include "knarr/engine.h"
#include "knarr/operation.h"

namespace {

using knarr::Engine;
using knarr::Operation;
using knarr::Result;

Result<> expect(bool good, const char* what) {
    return good ? Result<>{} : knarr::fail(knarr::Errc::internal, "{}", what);
}

struct Ship {
    std::string id;
    std::size_t step = 0;
    std::optional<Operation<>> operation = {};
};

using Step = std::function<Result<>(Engine&, const std::string& id, int cancel_fd)>;

std::vector<Step> steps_of(const std::string& bundle) {
    return {
        [bundle](Engine& engine, const std::string& id, int) {
            return engine.create({.id = id, .bundle = bundle});
        },
        [](Engine& engine, const std::string& id, int) { return engine.start(id); },
        [](Engine& engine, const std::string& id, int cancel_fd) -> Result<> {
            const int code = KNARR_TRY(
                engine.exec(id, {.command = {"/witness", "exit", "3"}, .cancel_fd = cancel_fd}));
            return expect(code == 3, "exec ended with another code");
        },
        [](Engine& engine, const std::string& id, int cancel_fd) {
            return engine.stop(
                id,
                {.signal = "KILL", .timeout = std::chrono::seconds(60), .cancel_fd = cancel_fd});
        },
        [](Engine& engine, const std::string& id, int) {
            return engine.remove(id, knarr::RemoveMode::when_stopped);
        },
    };
}

Result<> sail(Engine& engine, const std::string& prefix, const std::string& bundle, int count) {
    const std::vector<Step> steps = steps_of(bundle);
    std::vector<Ship> ships;
    for (int i = 0; i < count; ++i) {
        ships.push_back({.id = prefix + "-" + std::to_string(i)});
    }
    while (true) {
        std::vector<pollfd> items;
        std::vector<Ship*> at_sea;
        for (Ship& ship : ships) {
            if (!ship.operation && ship.step < steps.size()) {
                ship.operation.emplace(
                    KNARR_TRY(Operation<>::begin([&engine, &steps, &ship](int cancel_fd) {
                        return steps[ship.step](engine, ship.id, cancel_fd);
                    })));
            }
            if (ship.operation) {
                items.push_back({.fd = ship.operation->fd(), .events = POLLIN, .revents = 0});
                at_sea.push_back(&ship);
            }
        }
        if (items.empty()) {
            return {};
        }
        poll(items.data(), items.size(), -1);
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (items[i].revents != 0) {
                KNARR_TRY(
                    at_sea[i]->operation->take(), "{} step {}", at_sea[i]->id, at_sea[i]->step);
                at_sea[i]->operation.reset();
                ++at_sea[i]->step;
            }
        }
    }
}

/// The call is at work for a moment, is cancelled, and ends at once.
template <typename T>
Result<> expect_cancelled(const char* what, typename Operation<T>::Call call) {
    auto operation = KNARR_TRY(Operation<T>::begin(std::move(call)), "{}", what);
    pollfd item{.fd = operation.fd(), .events = POLLIN, .revents = 0};
    KNARR_TRY(expect(poll(&item, 1, 500) == 0, "it did not wait"), "{}", what);
    operation.cancel();
    KNARR_TRY(expect(poll(&item, 1, 10'000) == 1, "it went on"), "{}", what);
    const Result<T> done = operation.take();
    return expect(!done && done.error().code == knarr::Errc::interrupted, what);
}

Result<> cancel_all(Engine& engine, const std::string& id, const std::string& bundle) {
    KNARR_TRY(engine.create({.id = id, .bundle = bundle}));
    KNARR_TRY(engine.start(id));
    KNARR_TRY(expect_cancelled<std::optional<int>>(
        "wait", [&](int cancel_fd) { return engine.wait(id, cancel_fd); }));
    KNARR_TRY(expect_cancelled<int>("exec", [&](int cancel_fd) {
        return engine.exec(id,
                           {.command = {"/witness", "sleep", "100000"}, .cancel_fd = cancel_fd});
    }));
    const auto left = KNARR_TRY(engine.processes(id));
    KNARR_TRY(expect(left.size() == 1, "the cancelled exec left a process"));
    // The program does not end at CONT.
    KNARR_TRY(expect_cancelled<void>("stop", [&](int cancel_fd) {
        return engine.stop(id, {.signal = "CONT", .cancel_fd = cancel_fd});
    }));
    const auto info = KNARR_TRY(engine.state(id));
    KNARR_TRY(expect(info.state == knarr::ContainerState::running, "the cancelled stop killed it"));
    KNARR_TRY(engine.remove(id, knarr::RemoveMode::force));
    KNARR_TRY(expect_cancelled<int>("run", [&](int cancel_fd) {
        return engine.run({.id = id, .bundle = bundle, .cancel_fd = cancel_fd},
                          knarr::RunMode::foreground);
    }));
    const auto all = KNARR_TRY(engine.list());
    return expect(all.empty(), "the cancelled run left a container");
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fputs("usage: embed_operations STATE_DIR BUNDLE_DIR COUNT\n", stderr);
        return 2;
    }
    auto engine = Engine::open({.root = argv[1]});
    const char* const token = std::getenv("KNARR_TEST_TOKEN");  // by which leftovers are found
    const std::string prefix = token != nullptr ? token : "embedded";
    Result<> done = engine ? sail(*engine, prefix, argv[2], std::atoi(argv[3]))
                           : Result<>(knarr::fail(engine.error()));
    if (done) {
        done = cancel_all(*engine, prefix + "-cancelled", argv[2]);
    }
    if (!done) {
        std::fprintf(stderr, "embed_operations: %s\n", done.error().message.c_str());
        return 1;
    }
    return 0;
}

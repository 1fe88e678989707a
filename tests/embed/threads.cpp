// One Engine used by several threads at once, for tests/integration/test_embed.py:
//
//     embed_threads STATE_DIR BUNDLE_DIR THREADS ROUNDS
//
// Each thread makes, runs, enters and removes containers of its own, while others list them and
// keep the memory allocator busy: a child that is cloned while another thread is inside of it must
// not inherit its locks. The bundle's program has to end by itself with 7 a little later.

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <malloc.h>

#include "knarr/engine.h"

namespace {

knarr::Result<> expect(int code, int wanted, const char* what) {
    return code == wanted ? knarr::Result<>{}
                          : knarr::fail(knarr::Errc::internal, "{} ended with {}", what, code);
}

knarr::Result<> one_round(knarr::Engine& engine, const std::string& id, const std::string& bundle) {
    KNARR_TRY(engine.create({.id = id, .bundle = bundle}), "create");
    KNARR_TRY(engine.start(id), "start");
    const int exec = KNARR_TRY(engine.exec(id, {.command = {"/witness", "exit", "3"}}), "exec");
    KNARR_TRY(expect(exec, 3, "exec"));
    const auto info = KNARR_TRY(engine.state(id), "state");
    if (info.id != id) {
        return knarr::fail(knarr::Errc::internal, "state of {} is that of {}", id, info.id);
    }
    KNARR_TRY(engine.kill(id, 9), "kill");
    const auto code = KNARR_TRY(engine.wait(id), "wait");
    KNARR_TRY(expect(code.value_or(-1), 128 + 9, "the container"));
    KNARR_TRY(engine.remove(id, knarr::RemoveMode::when_stopped), "remove");
    const int ran = KNARR_TRY(
        engine.run({.id = id + "-run", .bundle = bundle + "-run"}, knarr::RunMode::foreground),
        "run");
    return expect(ran, 7, "run");
}

/// Allocates and frees, small and large, so that locks of the allocator are mostly held.
void keep_busy(const std::atomic<bool>& done) {
    std::vector<std::string> held(64);
    for (std::size_t i = 0; !done; ++i) {
        held[i % held.size()] = std::string(1 + (i * 7919) % 5000, 'x');
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) {
        std::fputs("usage: embed_threads STATE_DIR BUNDLE_DIR THREADS ROUNDS\n", stderr);
        return 2;
    }
    auto engine = knarr::Engine::open({.root = argv[1]});
    if (!engine) {
        std::fprintf(stderr, "open: %s\n", engine.error().message.c_str());
        return 1;
    }
    mallopt(M_ARENA_MAX, 1);  // all threads share its lock, as many threads would anyway
    const int rounds = std::atoi(argv[4]);
    const char* const token = std::getenv("KNARR_TEST_TOKEN");  // by which leftovers are found
    const std::string prefix = token != nullptr ? token : "embedded";
    std::atomic<bool> done = false;
    std::atomic<int> failed = 0;
    std::vector<std::thread> others;
    others.reserve(3);
    others.emplace_back(keep_busy, std::cref(done));
    others.emplace_back(keep_busy, std::cref(done));
    others.emplace_back([&] {
        while (!done) {
            if (const auto all = engine->list(); !all) {
                std::fprintf(stderr, "list: %s\n", all.error().message.c_str());
                ++failed;
                return;
            }
        }
    });
    const int count = std::atoi(argv[3]);
    std::vector<std::thread> threads;
    threads.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
        threads.emplace_back([&, i] {
            for (int round = 0; round < rounds; ++round) {
                const std::string id =
                    prefix + "-" + std::to_string(i) + "-" + std::to_string(round);
                if (const auto ok = one_round(*engine, id, argv[2]); !ok) {
                    std::fprintf(stderr, "%s: %s\n", id.c_str(), ok.error().message.c_str());
                    static_cast<void>(engine->remove(id, knarr::RemoveMode::force));
                    ++failed;
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    done = true;
    for (std::thread& thread : others) {
        thread.join();
    }
    return failed == 0 ? 0 : 1;
}

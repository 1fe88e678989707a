// What takes long is ended by a descriptor, for tests/integration/test_embed.py:
//
//     embed_cancel STATE_DIR DATA_DIR IMAGE
//
// The image's program writes a line and goes on.

#include <array>
#include <cstdio>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "knarr/engine.h"
#include "knarr/unwritable.h"

namespace {

knarr::Result<> expect(bool good, const char* what) {
    return good ? knarr::Result<>{} : knarr::fail(knarr::Errc::internal, "{}", what);
}

struct Pipe {
    std::array<int, 2> ends{-1, -1};
    Pipe() { static_cast<void>(!pipe2(ends.data(), O_CLOEXEC)); }
    int fd() const { return ends[0]; }
    void end() const { static_cast<void>(!write(ends[1], "x", 1)); }
};

knarr::Result<> try_all(knarr::Engine& engine, const std::string& id) {
    const Pipe reading;
    std::string text;
    KNARR_TRY(engine.logs(id,
                          {.follow = true, .cancel_fd = reading.fd()},
                          [&](const knarr::LogPart& part) -> knarr::Result<> {
                              text += part.text;
                              reading.end();
                              return {};
                          }),
              "logs");
    KNARR_TRY(expect(text == "a line\n", "the log is another"));
    const auto code = engine.wait(id, reading.fd());
    KNARR_TRY(expect(!code && code.error().code == knarr::Errc::interrupted, "wait went on"));
    const Pipe watching;
    int told = 0;
    KNARR_TRY(engine.watch(
                  id,
                  std::chrono::milliseconds(1),
                  [&](const knarr::StatsSample&) -> knarr::Result<> {
                      ++told;
                      watching.end();
                      return {};
                  },
                  watching.fd()),
              "watch");
    KNARR_TRY(expect(told == 1, "watch went on"));
    const auto stopped =
        engine.stop(id, {.signal = "CONT", .cancel_fd = reading.fd()});  // it does not end at CONT
    KNARR_TRY(expect(!stopped && stopped.error().code == knarr::Errc::interrupted, "stop went on"));
    const auto again = engine.restart(id, {.signal = "CONT", .cancel_fd = reading.fd()});
    KNARR_TRY(expect(!again && again.error().code == knarr::Errc::interrupted, "restart went on"));
    const auto attached = engine.attach(id, {.pass_input = false, .cancel_fd = reading.fd()});
    KNARR_TRY(
        expect(!attached && attached.error().code == knarr::Errc::interrupted, "attach went on"));
    // The program of a container, its first process, ignores TERM.
    const auto down = engine.shut_down(std::chrono::seconds(1000), reading.fd());
    KNARR_TRY(expect(!down && down.error().code == knarr::Errc::interrupted, "shut_down went on"));
    const auto info = KNARR_TRY(engine.state(id));
    return expect(info.state == knarr::ContainerState::running, "it does not run any more");
}

knarr::Result<> run(const char* root, const char* data_root, const char* image) {
    knarr::Engine engine =
        KNARR_TRY(knarr::Engine::open({.root = root, .data_root = data_root}), "open");
    const std::string id = KNARR_TRY(engine.run_image_in_background({.image = image}, {}), "run");
    knarr::Result<> done = try_all(engine, id);
    const Pipe ended;
    ended.end();
    const auto ran =
        engine.run_image({.image = image, .remove = true, .cancel_fd = ended.fd()}, {});
    if (done) {
        done = expect(!ran && ran.error().code == knarr::Errc::interrupted, "run went on");
    }
    KNARR_TRY(engine.remove(id, knarr::RemoveMode::force), "remove");
    KNARR_TRY(engine.make_volume({.name = "mine", .labels = {{"a", "b"}}}), "make_volume");
    const knarr::VolumeInfo volume = KNARR_TRY(engine.volume("mine"), "volume");
    KNARR_TRY(expect(volume.labels.at("a") == "b", "another volume"));
    KNARR_TRY(engine.remove_volume("mine"), "remove_volume");
    const auto left = KNARR_TRY(engine.volumes(), "volumes");
    KNARR_TRY(expect(left.empty(), "the volume is still there"));
    return done;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fputs("usage: embed_cancel STATE_DIR DATA_DIR IMAGE\n", stderr);
        return 2;
    }
    // After it the program still finds its monitor, which stands beside it.
    knarr::Result<> done = knarr::run_from_unwritable_file();
    if (done) {
        done = run(argv[1], argv[2], argv[3]);
    }
    if (!done) {
        std::fprintf(stderr, "embed_cancel: %s\n", done.error().message.c_str());
        return 1;
    }
    return 0;
}

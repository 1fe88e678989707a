// What a program that embeds knarr does with images, for tests/integration/test_embed_images.py:
//
//     embedded_images ROOT DATA_ROOT IMAGE [CANCELLED]
//
// Pulls the image, runs all that keeps the store in order and removes the image; with a fourth word
// the pull is to end at once. It links libknarr and includes nothing else.

#include <cstdio>

#include <fcntl.h>
#include <unistd.h>

#include "knarr/engine.h"

namespace {

struct Wish {
    std::string root, data_root, image;
    bool cancelled = false;
};

knarr::Result<> work(const Wish& wish) {
    knarr::Engine engine =
        KNARR_TRY(knarr::Engine::open({.root = wish.root, .data_root = wish.data_root}));
    unsigned news = 0;
    std::string stored;
    const auto hear = [&](const knarr::PullProgress& one) {
        ++news;
        stored = one.phase == knarr::PullPhase::finished ? one.reference : stored;
    };
    knarr::PullOptions options;
    int ends[2] = {-1, -1};
    if (wish.cancelled && pipe2(ends, O_CLOEXEC) == 0) {
        close(ends[1]);  // readable at once
        options.cancel_fd = ends[0];
    }
    const std::string id = KNARR_TRY(engine.pull_image(wish.image, options, hear));
    std::printf("pulled %s as %s, %s\n", id.c_str(), stored.c_str(), news > 1 ? "told" : "silent");
    const knarr::VerifyReport report =
        KNARR_TRY(engine.verify_images({}, knarr::DamagePolicy::report));
    const knarr::StoreUsage usage = KNARR_TRY(engine.image_usage());
    std::printf("%zu damaged, %zu images, %s\n",
                report.damaged.size(),
                usage.each.size(),
                usage.each.at(0).image.references.at(0).c_str());
    const knarr::PrunedImages pruned =
        KNARR_TRY(engine.prune_images({.all = true, .only = [](const auto&) { return false; }}));
    const knarr::RemovedImage removed = KNARR_TRY(engine.remove_image(stored));
    const knarr::RemovedGarbage garbage = KNARR_TRY(engine.collect_garbage());
    std::printf("%zu pruned, %s removed, %llu left\n",
                pruned.untagged.size(),
                removed.untagged.at(0).c_str(),
                static_cast<unsigned long long>(garbage.blobs));
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        std::fputs("usage: embedded_images ROOT DATA_ROOT IMAGE [CANCELLED]\n", stderr);
        return 2;
    }
    const knarr::Result<> done =
        work({.root = argv[1], .data_root = argv[2], .image = argv[3], .cancelled = argc > 4});
    if (!done) {
        std::fprintf(stderr, "%s\n", done.error().message.c_str());
        return knarr::describe(done.error().code).exit_status;
    }
    return 0;
}

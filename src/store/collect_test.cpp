#include <atomic>
#include <mutex>
#include <thread>

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/limits.h"
#include "platform/disk.h"
#include "platform/pidfd.h"
#include "platform/process.h"
#include "store/testing_store.h"

namespace knarr::store {
namespace {

class Collection : public StoreTest {};

TEST_F(Collection, SharedLayersStayUntilTheLastUser) {
    const Store store = open();
    const Ref one = put_image(store, "one", "shared");
    Ref two = one;
    two.reference = "two";
    ASSERT_TRUE(store.put_ref(two));
    (void)put_image(store, "three", "alone");
    ASSERT_TRUE(store.remove_ref("one").value());
    ASSERT_TRUE(store.remove_ref("three").value());
    const Collected first = store.collect({}).value();
    EXPECT_EQ(first.blobs, 3U);  // manifest, config and layer of three
    EXPECT_TRUE(store.has(sha256_of("shared")).value());
    EXPECT_FALSE(store.has(sha256_of("alone")).value());
    ASSERT_TRUE(store.remove_ref("two").value());
    EXPECT_EQ(store.collect({}).value().blobs, 3U);
    EXPECT_TRUE(store.list_blobs().value().empty());
}

TEST_F(Collection, AManifestThatIsAnothersLayerStillKeepsWhatIsBelowIt) {
    const Store store = open();
    const Ref victim = put_image(store, "victim", "precious");
    // A configuration that is a manifest, too: its layer is the victim's manifest.
    const std::string both =
        fmt::format(R"({{"schemaVersion":2,"architecture":"amd64","os":"linux",)"
                    R"("rootfs":{{"type":"layers","diff_ids":[]}},)"
                    R"("config":{{"mediaType":"application/vnd.x","digest":"{0}","size":1}},)"
                    R"("layers":[{{"mediaType":"application/vnd.x","digest":"{0}","size":1}}]}})",
                    victim.digest.text());
    const spec::Digest config = store.put_blob(both).value();
    const spec::Digest hostile =
        store
            .put_blob(spec::encode_manifest(
                spec::Manifest{.media_type = std::string(spec::media::kOciManifest),
                               .config = descriptor(spec::media::kOciConfig, config, both.size()),
                               .layers = {},
                               .annotations = {},
                               .artifact_type = {}}))
            .value();
    name_it(store, "a hostile image", put_index(store, {config, hostile}));  // marked first
    EXPECT_EQ(store.collect({}).value().blobs, 0U);
    EXPECT_TRUE(store.has(sha256_of("precious")).value());
    EXPECT_EQ(store.reach(victim).value().needed.size(), 3U);
}

TEST_F(Collection, AnEntryOfAnIndexThatIsNoDocumentIsKeptAndStopsNothing) {
    const Store store = open();
    const Ref image = put_image(store, "box", "layer");
    const spec::Digest large =
        store.put_blob(std::string(limits::kMaxManifestBytes + 1, ' ')).value();
    const spec::Digest text = store.put_blob("no document").value();
    const spec::Digest index =
        put_index(store, {text, large, sha256_of("layer"), image.digest, sha256_of("other")});
    name_it(store, "a hostile image", index);
    ASSERT_TRUE(store.remove_ref("box").value());
    ASSERT_TRUE(store.put_blob("garbage"));
    EXPECT_EQ(store.collect({}).value().blobs, 1U);
    for (const spec::Digest& kept : {text, large, sha256_of("layer"), image.digest, index}) {
        EXPECT_TRUE(store.has(kept).value()) << kept.text();
    }
    const Reach reach = store.reach(store.get_ref("a hostile image").value().value()).value();
    EXPECT_EQ(reach.layers, std::set<spec::Digest>{sha256_of("layer")});
}

TEST_F(Collection, AConfigurationThatIsNoneStopsNothing) {
    const Store store = open();
    const spec::Digest layer = store.put_blob("no configuration").value();
    const spec::Digest manifest = store
                                      .put_blob(spec::encode_manifest(spec::Manifest{
                                          .media_type = std::string(spec::media::kOciManifest),
                                          .config = descriptor(spec::media::kOciConfig, layer, 1),
                                          .layers = {},
                                          .annotations = {},
                                          .artifact_type = {}}))
                                      .value();
    name_it(store, "below an index", put_index(store, {manifest}));
    name_it(store, "by itself", manifest);
    name_it(store, "no document", layer);
    ASSERT_TRUE(store.put_blob("garbage"));
    EXPECT_EQ(store.collect({}).value().blobs, 1U);
    EXPECT_TRUE(store.reach(store.get_ref("below an index").value().value()));
    const auto own = store.reach(store.get_ref("by itself").value().value());
    ASSERT_FALSE(own);
    EXPECT_EQ(own.error().code, Errc::invalid_image);
}

TEST_F(Collection, ADocumentThatTheDiskDamagedStopsTheCollection) {
    const Store store = open();
    const Ref ref = put_image(store, "one", "layer");
    ASSERT_EQ(truncate(blob_file(ref.digest).c_str(), 3), 0);
    const auto collected = store.collect({});
    ASSERT_FALSE(collected);
    EXPECT_EQ(collected.error().code, Errc::corrupt);
    EXPECT_TRUE(store.has(sha256_of("layer")).value());
}

TEST_F(Collection, IndexesMayNestToAnyDepthAndKeepWhatIsBelow) {
    const Store store = open();
    spec::Digest top = put_image(store, "zzz", "deep").digest;
    ASSERT_TRUE(store.remove_ref("zzz").value());
    for (int depth = 0; depth < 100; ++depth) {
        top = put_index(store, {top});
        if (depth == 90) {
            name_it(store, "b", top);  // another image's top, which "a" reaches as well
        }
    }
    name_it(store, "a", top);
    EXPECT_EQ(store.collect({}).value().blobs, 0U);
    EXPECT_EQ(store.reach(store.get_ref("b").value().value()).value().layers,
              std::set<spec::Digest>{sha256_of("deep")});
}

TEST_F(Collection, CollectsLayersThatNeitherAnImageNorAContainerUses) {
    const Store store = open();
    (void)put_image(store, "one", "kept");
    for (const std::string_view layer : {"kept", "in use", "gone"}) {
        const std::string dir = store.layer_path(sha256_of(layer));
        ASSERT_EQ(mkdir(dir.c_str(), 0700), 0);
        ASSERT_EQ(mkdir((dir + "/fs").c_str(), 0755), 0);
    }
    EXPECT_EQ(store.collect({sha256_of("in use")}).value().layers, 1U);
    EXPECT_TRUE(store.has_layer(sha256_of("kept")).value());
    EXPECT_TRUE(store.has_layer(sha256_of("in use")).value());
    EXPECT_FALSE(store.has_layer(sha256_of("gone")).value());
    EXPECT_EQ(names("layers").size(), 2U);
}

TEST_F(Collection, CollectsNothingThatALeaseProtects) {
    const Store store = open();
    const spec::Digest layer = sha256_of("layer");
    const std::string dir = store.layer_path(layer);
    ASSERT_EQ(mkdir(dir.c_str(), 0700), 0);
    {
        const Lease lease = store.lease().value();
        ASSERT_TRUE(lease.protect({sha256_of("early"), sha256_of("late")}));
        ASSERT_TRUE(lease.protect({layer}));
        ASSERT_TRUE(store.put_blob("early"));
        ASSERT_TRUE(store.put_blob("stray"));
        const Collected collected = open().collect({}).value();
        EXPECT_EQ(collected.blobs, 1U);
        EXPECT_EQ(collected.layers, 0U);
        ASSERT_TRUE(store.put_blob("late"));
        EXPECT_EQ(store.collect({}).value().blobs, 0U);
    }
    EXPECT_TRUE(names("leases").empty());
    const Collected rest = store.collect({}).value();
    EXPECT_EQ(rest.blobs, 2U);
    EXPECT_EQ(rest.layers, 1U);
}

TEST_F(Collection, ALeaseMayBeLongAndItsBoundIsHeldWhereItIsWritten) {
    const Store store = open();
    const Lease lease = store.lease().value();
    // Five times what a collector once refused to read.
    const std::vector<spec::Digest> many(60'000, sha256_of("kept"));
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(lease.protect(many));
    }
    ASSERT_TRUE(store.put_blob("kept"));
    ASSERT_TRUE(store.put_blob("stray"));
    EXPECT_EQ(open().collect({}).value().blobs, 1U);
    Result<> held;
    for (int i = 0; i < 20 && held; ++i) {
        held = lease.protect(many);
    }
    ASSERT_FALSE(held);
    EXPECT_EQ(held.error().code, Errc::limit_exceeded);
    EXPECT_EQ(store.collect({}).value().blobs, 0U) << "a full lease still protects";
}

TEST_F(Collection, CollectorsAndOpenersDoNotDisturbEachOther) {
    (void)open();
    constexpr int kRounds = 150, kLayers = 4;
    std::atomic<int> bad = 0;
    std::string why;
    std::mutex guard;
    const auto note = [&](const auto& result) {
        if (!result) {
            ++bad;
            const std::lock_guard lock(guard);
            why = result.error().message;
        }
    };
    std::vector<std::thread> workers;
    for (int worker = 0; worker < 3; ++worker) {
        workers.emplace_back([&, worker] {
            for (int round = 0; round < kRounds; ++round) {
                const Result<Store> store = Store::open(path_);
                note(store);
                if (!store) {
                    continue;
                }
                for (int layer = 0; layer < kLayers; ++layer) {
                    const std::string dir =
                        store->layer_path(sha256_of(fmt::format("{} {} {}", worker, round, layer)));
                    mkdir(dir.c_str(), 0700);
                    mkdir((dir + "/fs").c_str(), 0700);
                    mkdir((dir + "/fs/a").c_str(), 0700);
                    mkdir((dir + "/fs/a/b").c_str(), 0700);
                }
                note(store->collect({}));
            }
        });
    }
    for (std::thread& worker : workers) {
        worker.join();
    }
    EXPECT_EQ(bad, 0) << why;
    (void)open();
    EXPECT_TRUE(names("layers").empty());
}

TEST_F(Collection, ForgetsTheLeaseOfAKilledProcess) {
    const Store store = open();
    auto child = sys::clone_process(0).value();
    if (child.in_child()) {
        const Lease lease = store.lease().value();
        (void)lease.protect({sha256_of("left")});
        (void)store.put_blob("left");
        raise(SIGKILL);
        pause();
    }
    ASSERT_TRUE(sys::reap(child.pidfd));
    ASSERT_EQ(names("leases").size(), 1U);
    ASSERT_TRUE(store.has(sha256_of("left")).value());
    EXPECT_EQ(store.collect({}).value().blobs, 1U);
    EXPECT_TRUE(names("leases").empty());
}

}  // namespace
}  // namespace knarr::store

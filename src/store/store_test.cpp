#include "store/store.h"

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <thread>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "core/limits.h"
#include "platform/disk.h"
#include "platform/pidfd.h"
#include "platform/process.h"

namespace knarr::store {
namespace {

class StoreTest : public testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/knarr-store-XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        path_ = name;
    }
    void TearDown() override {
        const sys::Fd tmp = sys::open_path("/tmp", O_RDONLY | O_DIRECTORY).value();
        EXPECT_TRUE(sys::remove_tree_at(tmp, path_.substr(5)));
    }
    Store open() const { return Store::open(path_).value(); }
    std::vector<std::string> names(const std::string& sub) const {
        const sys::Fd dir = sys::open_path(path_ + "/" + sub, O_RDONLY | O_DIRECTORY).value();
        return sys::list_dir(dir).value();
    }
    static spec::Descriptor descriptor(std::string_view type,
                                       const spec::Digest& digest,
                                       std::size_t size) {
        return {.media_type = std::string(type),
                .digest = digest,
                .size = size,
                .platform = std::nullopt,
                .annotations = {},
                .artifact_type = {}};
    }
    std::string blob_file(const spec::Digest& digest) const {
        return fmt::format("{}/blobs/sha256/{}/{}", path_, digest.hex().substr(0, 2), digest.hex());
    }
    /// Stores an index of these; its digest.
    static spec::Digest put_index(const Store& store, const std::vector<spec::Digest>& children) {
        spec::Index index{
            .media_type = std::string(spec::media::kOciIndex), .manifests = {}, .annotations = {}};
        for (const spec::Digest& child : children) {
            index.manifests.push_back(descriptor(spec::media::kOciManifest, child, 1));
        }
        return store.put_blob(spec::encode_index(index)).value();
    }
    static void name_it(const Store& store, const std::string& name, const spec::Digest& top) {
        EXPECT_TRUE(store.put_ref({.reference = name,
                                   .media_type = std::string(spec::media::kOciIndex),
                                   .digest = top,
                                   .size = 1,
                                   .pulled_time = "2026-11-23T00:00:00Z"}));
    }
    /// Stores an image of one layer; the digest of its manifest.
    static Ref put_image(const Store& store, const std::string& name, const std::string& layer) {
        const spec::Digest blob = store.put_blob(layer).value();
        const std::string config =
            fmt::format(R"({{"architecture":"amd64","os":"linux","config":{{}},"rootfs":{{)"
                        R"("type":"layers","diff_ids":["{}"]}}}})",
                        blob.text());
        const spec::Digest config_digest = store.put_blob(config).value();
        const std::string manifest = spec::encode_manifest(spec::Manifest{
            .media_type = std::string(spec::media::kOciManifest),
            .config = descriptor(spec::media::kOciConfig, config_digest, config.size()),
            .layers = {descriptor("application/vnd.oci.image.layer.v1.tar", blob, layer.size())},
            .annotations = {},
            .artifact_type = {}});
        Ref ref{.reference = name,
                .media_type = std::string(spec::media::kOciManifest),
                .digest = store.put_blob(manifest).value(),
                .size = manifest.size(),
                .pulled_time = "2026-11-23T00:00:00Z"};
        EXPECT_TRUE(store.put_ref(ref));
        return ref;
    }

    std::string path_;
};

const spec::Digest kOther = sha256_of("other");

TEST(Sha256, GivesTheStandardsSums) {
    EXPECT_EQ(sha256_of("").hex(),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(sha256_of("abc").hex(),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(ChainIds, FollowTheImageSpec) {
    const auto a = sha256_of("a"), b = sha256_of("b");
    const auto chain = chain_ids({a, b});
    ASSERT_EQ(chain.size(), 2U);
    EXPECT_EQ(chain[0], a);
    EXPECT_EQ(chain[1], sha256_of(a.text() + " " + b.text()));
}

TEST_F(StoreTest, KeepsABlobUnderItsDigest) {
    const Store store = open();
    const spec::Digest digest = store.put_blob("hello").value();
    EXPECT_EQ(store.read_blob(digest, 100).value(), "hello");
    EXPECT_EQ(store.blob_size(digest).value(), 5U);
    EXPECT_EQ(store.used_bytes().value(), 5U);
    const std::string file = blob_file(digest);
    EXPECT_EQ(access(file.c_str(), F_OK), 0);
    EXPECT_TRUE(names("ingest").empty());
}

TEST_F(StoreTest, RefusesBytesOfAnotherDigestAndKeepsNothing) {
    const Store store = open();
    {
        BlobWriter writer = store.write_blob(kOther, 5).value();
        ASSERT_TRUE(writer.write("othex"));
        EXPECT_EQ(writer.commit().error().code, Errc::digest_mismatch);
    }
    EXPECT_FALSE(store.has(kOther).value());
    EXPECT_TRUE(names("ingest").empty());
}

TEST_F(StoreTest, RefusesTooManyAndTooFewBytes) {
    const Store store = open();
    BlobWriter longer = store.write_blob(kOther, 5).value();
    ASSERT_TRUE(longer.write("other"));
    EXPECT_EQ(longer.write("!").error().code, Errc::digest_mismatch);
    BlobWriter shorter = store.write_blob(kOther, 6).value();
    ASSERT_TRUE(shorter.write("other"));
    EXPECT_EQ(shorter.commit().error().code, Errc::digest_mismatch);
}

TEST_F(StoreTest, WritesABlobOnce) {
    const Store store = open();
    const spec::Digest digest = store.put_blob("hello").value();
    BlobWriter again = store.write_blob(digest, 5).value();
    EXPECT_TRUE(again.exists());
    EXPECT_TRUE(again.write("anything at all"));
    EXPECT_TRUE(again.commit());
    EXPECT_EQ(store.read_blob(digest, 100).value(), "hello");
}

TEST_F(StoreTest, SaysThatABlobIsMissing) {
    const Store store = open();
    EXPECT_EQ(store.open_blob(kOther).error().code, Errc::image_not_found);
    EXPECT_EQ(store.read_blob(kOther, 10).error().code, Errc::image_not_found);
}

TEST_F(StoreTest, NoticesAChangedDisk) {
    const Store store = open();
    const spec::Digest digest = store.put_blob("hello").value();
    const std::string file = blob_file(digest);
    const sys::Fd fd = sys::open_path(file, O_WRONLY).value();
    ASSERT_TRUE(sys::write_all_at(fd, "j", 0));
    EXPECT_EQ(store.read_blob(digest, 100).error().code, Errc::corrupt);
}

TEST_F(StoreTest, RefusesADirectoryThatIsOpenToOthers) {
    ASSERT_EQ(chmod(path_.c_str(), 0750), 0);
    const auto store = Store::open(path_);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, Errc::denied);
    EXPECT_NE(store.error().message.find("0750"), std::string::npos);
    ASSERT_EQ(chmod(path_.c_str(), 0700), 0);
}

TEST_F(StoreTest, RefusesADirectoryOfAnotherUser) {
    if (geteuid() != 0) {
        GTEST_SKIP() << "needs root";
    }
    ASSERT_EQ(chown(path_.c_str(), 1234, 0), 0);
    EXPECT_EQ(Store::open(path_).error().code, Errc::denied);
    ASSERT_EQ(chown(path_.c_str(), 0, 0), 0);
}

TEST_F(StoreTest, RefusesARelativeRoot) {
    EXPECT_EQ(Store::open("data").error().code, Errc::invalid_argument);
}

TEST_F(StoreTest, RemovesWhatAKilledWriterLeftButNotWhatALivingOneHolds) {
    const Store store = open();
    auto child = sys::clone_process(0).value();
    if (child.in_child()) {
        const BlobWriter writer = store.write_blob(kOther, 5).value();
        raise(SIGKILL);
        pause();
    }
    ASSERT_TRUE(sys::reap(child.pidfd));
    ASSERT_EQ(names("ingest").size(), 1U);
    BlobWriter living = store.write_blob(kOther, 5).value();
    ASSERT_EQ(names("ingest").size(), 2U);
    const Store again = open();
    EXPECT_EQ(names("ingest").size(), 1U);
    ASSERT_TRUE(living.write("other"));
    EXPECT_TRUE(living.commit());
    EXPECT_EQ(again.read_blob(kOther, 10).value(), "other");
}

TEST_F(StoreTest, RemovesALayerDirectoryThatNobodyHolds) {
    const Store store = open();
    ASSERT_EQ(mkdir((path_ + "/layers/.tmp-x").c_str(), 0700), 0);
    ASSERT_EQ(mkdir((path_ + "/layers/.tmp-y").c_str(), 0700), 0);
    const auto held =
        sys::FileLock::acquire(store.layers_dir(), ".tmp-y/lock", sys::FileLock::Kind::exclusive);
    (void)open();
    EXPECT_EQ(names("layers"), std::vector<std::string>{".tmp-y"});
}

TEST_F(StoreTest, KeepsReferencesAcrossOpens) {
    const Ref ref = put_image(open(), "docker.io/library/busybox:1", "layer");
    const Store store = open();
    const auto got = store.get_ref("docker.io/library/busybox:1").value();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->digest, ref.digest);
    EXPECT_EQ(got->size, ref.size);
    EXPECT_EQ(got->media_type, ref.media_type);
    EXPECT_EQ(got->pulled_time, ref.pulled_time);
    EXPECT_FALSE(store.get_ref("docker.io/library/busybox:2").value());
    EXPECT_EQ(store.list_refs().value().size(), 1U);
    EXPECT_TRUE(store.remove_ref(ref.reference).value());
    EXPECT_FALSE(store.remove_ref(ref.reference).value());
    EXPECT_TRUE(store.list_refs().value().empty());
}

TEST_F(StoreTest, HoldsAReferenceToItsLengthLimit) {
    const Store store = open();
    Ref ref = put_image(store, std::string(limits::kMaxReferenceBytes, 'r'), "layer");
    ref.reference += 'r';
    EXPECT_EQ(store.put_ref(ref).error().code, Errc::invalid_argument);
}

TEST_F(StoreTest, SaysWhichReferenceFileIsDamaged) {
    const Store store = open();
    const sys::Fd refs = sys::open_path(path_ + "/refs", O_RDONLY | O_DIRECTORY).value();
    ASSERT_TRUE(sys::replace_file(refs, "junk.json", "{}", 0600));
    const auto refs_read = store.list_refs();
    ASSERT_FALSE(refs_read);
    EXPECT_EQ(refs_read.error().code, Errc::corrupt);
    EXPECT_NE(refs_read.error().message.find("junk.json"), std::string::npos);
}

TEST_F(StoreTest, SharedLayersStayUntilTheLastUser) {
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
    EXPECT_EQ(store.used_bytes().value(), 0U);
}

TEST_F(StoreTest, AManifestThatIsAnothersLayerStillKeepsWhatIsBelowIt) {
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

TEST_F(StoreTest, AnEntryOfAnIndexThatIsNoDocumentIsKeptAndStopsNothing) {
    const Store store = open();
    const Ref image = put_image(store, "box", "layer");
    const spec::Digest large =
        store.put_blob(std::string(limits::kMaxManifestBytes + 1, ' ')).value();
    const spec::Digest text = store.put_blob("no document").value();
    const spec::Digest index =
        put_index(store, {text, large, sha256_of("layer"), image.digest, kOther});
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

TEST_F(StoreTest, AConfigurationThatIsNoneStopsNothing) {
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

TEST_F(StoreTest, ADocumentThatTheDiskDamagedStopsTheCollection) {
    const Store store = open();
    const Ref ref = put_image(store, "one", "layer");
    ASSERT_EQ(truncate(blob_file(ref.digest).c_str(), 3), 0);
    const auto collected = store.collect({});
    ASSERT_FALSE(collected);
    EXPECT_EQ(collected.error().code, Errc::corrupt);
    EXPECT_TRUE(store.has(sha256_of("layer")).value());
}

TEST_F(StoreTest, IndexesMayNestToAnyDepthAndKeepWhatIsBelow) {
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

TEST_F(StoreTest, CollectsLayersThatNeitherAnImageNorAContainerUses) {
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

TEST_F(StoreTest, CollectsNothingThatALeaseProtects) {
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

TEST_F(StoreTest, ALeaseMayBeLongAndItsBoundIsHeldWhereItIsWritten) {
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

TEST_F(StoreTest, CollectorsAndOpenersDoNotDisturbEachOther) {
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

TEST_F(StoreTest, ForgetsTheLeaseOfAKilledProcess) {
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

TEST_F(StoreTest, PutsADamagedBlobAsideAndTakesASoundOneAgain) {
    const Store store = open();
    const spec::Digest digest = store.put_blob("hello").value();
    EXPECT_FALSE(store.quarantine_if_damaged(digest).value());
    const std::string file = blob_file(digest);
    ASSERT_TRUE(sys::write_all_at(sys::open_path(file, O_WRONLY).value(), "j", 4));
    EXPECT_EQ(store.check_blob(digest).value().found, sha256_of("hellj"));
    EXPECT_TRUE(store.quarantine_if_damaged(digest).value());
    EXPECT_FALSE(store.has(digest).value());
    ASSERT_EQ(store.list_quarantine().value().size(), 1U);
    EXPECT_EQ(store.list_quarantine().value().front().second, 5U);
    EXPECT_EQ(store.put_blob("hello").value(), digest);
    EXPECT_EQ(store.read_blob(digest, 10).value(), "hello");
    EXPECT_EQ(store.collect({}).value().quarantined, 1U);
    EXPECT_TRUE(names("quarantine").empty());
}

TEST_F(StoreTest, ReplacesADamagedDocument) {
    const Store store = open();
    const spec::Digest digest = store.put_blob("hello").value();
    const std::string file = blob_file(digest);
    ASSERT_EQ(truncate(file.c_str(), 3), 0);
    ASSERT_TRUE(store.put_blob("hello"));
    EXPECT_EQ(store.read_blob(digest, 10).value(), "hello");
}

TEST_F(StoreTest, KnowsWhatAnImageNeeds) {
    const Store store = open();
    const Ref ref = put_image(store, "one", "layer");
    const Reach whole = store.reach(ref).value();
    EXPECT_EQ(whole.needed.size(), 3U);
    EXPECT_EQ(whole.layers, std::set<spec::Digest>{sha256_of("layer")});
    ASSERT_TRUE(store.remove_blob(ref.digest));
    EXPECT_EQ(store.reach(ref).value().needed, std::set<spec::Digest>{ref.digest});
}

}  // namespace
}  // namespace knarr::store

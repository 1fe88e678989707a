#include "store/store.h"

#include <cstdlib>

#include <fcntl.h>
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

/// The beginning of a blob that broke off, as a pull leaves it.
void leave_part(const Store& store, const std::string& whole, std::size_t bytes) {
    BlobWriter writer = store.write_blob(sha256_of(whole), whole.size(), Parts::keep).value();
    ASSERT_TRUE(writer.write(std::string_view(whole).substr(0, bytes)));
}

TEST_F(StoreTest, GoesOnWithWhatAnEarlierWriterKept) {
    const std::string whole(3 * kMinPartBytes, 'x');
    leave_part(open(), whole, 2 * kMinPartBytes);
    const Store store = open();  // which leaves it alone
    BlobWriter other = store.write_blob(sha256_of(whole), whole.size()).value();
    EXPECT_EQ(other.resumed(), 0U) << "it did not ask for parts";
    BlobWriter writer = store.write_blob(sha256_of(whole), whole.size(), Parts::keep).value();
    EXPECT_EQ(writer.resumed(), 2 * kMinPartBytes);
    EXPECT_EQ(writer.written(), writer.resumed());
    BlobWriter third = store.write_blob(sha256_of(whole), whole.size(), Parts::keep).value();
    EXPECT_EQ(third.resumed(), 0U) << "the part has a writer";
    ASSERT_TRUE(writer.write(std::string_view(whole).substr(writer.written())));
    ASSERT_TRUE(writer.commit());
    EXPECT_EQ(store.read_blob(sha256_of(whole), whole.size()).value(), whole);
}

TEST_F(StoreTest, KeepsNoPartThatIsSmallOrWrongOrNotWanted) {
    const std::string whole(2 * kMinPartBytes, 'x');
    leave_part(open(), whole, kMinPartBytes - 1);
    EXPECT_TRUE(names("ingest").empty());
    {
        const Store store = open();
        BlobWriter writer = store.write_blob(kOther, whole.size(), Parts::keep).value();
        ASSERT_TRUE(writer.write(whole));
        EXPECT_EQ(writer.commit().error().code, Errc::digest_mismatch);
    }
    EXPECT_TRUE(names("ingest").empty());
    {
        BlobWriter writer = open().write_blob(kOther, whole.size()).value();
        ASSERT_TRUE(writer.write(whole));
    }
    EXPECT_TRUE(names("ingest").empty());
}

TEST_F(StoreTest, CollectsPartsThatNobodyWritesTo) {
    const std::string one(2 * kMinPartBytes, '1'), two(2 * kMinPartBytes, '2');
    const Store store = open();
    leave_part(store, one, kMinPartBytes);
    BlobWriter writer = store.write_blob(sha256_of(two), two.size(), Parts::keep).value();
    ASSERT_TRUE(writer.write(two));
    EXPECT_EQ(store.collect({}).value().bytes, kMinPartBytes);
    EXPECT_EQ(names("ingest").size(), 1U);
    EXPECT_TRUE(writer.commit());
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

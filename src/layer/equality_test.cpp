// Real trees, packed by GNU tar in every format and compression, must come out as they went in;
// several layers must merge to what umoci makes of them.
#include <algorithm>

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "layer/layer.h"
#include "layer/testing_tar.h"
#include "layer/testing_walk.h"
#include "platform/file.h"
#include "platform/pidfd.h"
#include "platform/process.h"
#include "platform/sanitized.h"

namespace knarr::layer {
namespace {

using testing_tar::LayerTest;
using testing_tar::TarWriter;
using testing_walk::expect_equal;

/// Runs a shell script for a test; its exit status.
int run_script(const std::string& script) {
    const std::string full = "set -e; exec >/dev/null 2>/tmp/knarr-equality.err; " + script;
    auto child = sys::clone_process(0).value();
    if (child.in_child()) {
        execl("/bin/bash", "bash", "-c", full.c_str(), nullptr);
        _exit(127);
    }
    return sys::reap(child.pidfd).value().code();
}

std::string script_errors() {
    return sys::read_file("/tmp/knarr-equality.err", 1 << 16).value_or("");
}

// clang-format off
constexpr const char* kOddTree = R"sh(
mkdir -p tree/dir/sub tree/empty tree/sticky tree/sg
cd tree
echo hello > file; chmod 0640 file; chown 1000:1001 file
echo suid > suid; chown 3:4 suid; chmod 06755 suid
ln file dir/hard; ln file dir/sub/hard2
ln -s ../file dir/link; ln -s /absolute/nowhere abs; ln -s "$(printf 'x%.0s' {1..200})" longlink
mknod null c 1 3; mknod -m 600 loop b 7 250; mkfifo fifo; mknod big c 259 100000
long=$(printf 'n%.0s' {1..150}); mkdir $long; echo deep > $long/$long; ln $long/$long longhard
mkdir -p $(printf 'd/%.0s' {1..60}); echo bottom > $(printf 'd/%.0s' {1..60})f
echo cap > cap; setcap cap_net_raw+ep cap
setfattr -n user.comment -v 'some value' file; setfattr -n user.dir -v d dir
setfattr -n user.bin -v 0x00ff000a3d file
truncate -s 64M sparse; printf x | dd of=sparse bs=1 seek=30000000 conv=notrunc
printf y | dd of=sparse bs=1 seek=67108863 conv=notrunc
truncate -s 10M allhole
for i in $(seq 0 40); do printf z | dd of=manyholes bs=1 seek=$((i*1000000)) conv=notrunc; done
head -c 3000000 /dev/urandom > random; : > nothing
head -c 512 /dev/zero > block; head -c 513 /dev/zero > block1
echo name > $'new\nline'; echo name > 'back\slash'; echo name > $'\xff\xfe'; echo u > ünï
chmod 1777 sticky; chown 0:8 sg; chmod 2775 sg; echo m > sg/f; chmod 000 nothing
chown 2000000:3000000 dir/sub; chown -h 12:13 dir/link
touch -d '2001-02-03 04:05:06.123456789' file dir; touch -d '1965-01-01' random
touch -h -d '2002-02-02 02:02:02.5' abs
chmod 0700 .
)sh";
// clang-format on

class Equality : public LayerTest {
protected:
    std::string slurp(const std::string& name) const {
        return sys::read_file(path_ + "/" + name, 1 << 30).value();
    }
};

TEST_P(Equality, ATreeComesOutAsGnuTarPackedIt) {
    ASSERT_EQ(run_script("cd " + path_ + kOddTree), 0) << script_errors();
    for (const std::string format : {"posix", "gnu"}) {
        SCOPED_TRACE(format);
        const std::string options = format == "posix"
                                        ? " -H posix --xattrs --xattrs-include='*' --pax-option="
                                          "exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime"
                                        : " -H gnu";
        ASSERT_EQ(
            run_script("cd " + path_ + "; tar -S" + options +
                       " -cf t.tar -C tree .; "
                       "gzip -k -f t.tar; zstd -q -k -f t.tar; "
                       // Two members and two frames, as concatenating tools make.
                       "head -c 1000000 t.tar > a; tail -c +1000001 t.tar > b; "
                       "(gzip -c a; gzip -c b) > t.tar.gz2; (zstd -c a; zstd -c b) > t.tar.zst2; "
                       "rm -rf expected; mkdir expected; tar --xattrs --xattrs-include='*' "
                       "-xpf t.tar -C expected"),
            0)
            << script_errors();
        const spec::Digest diff_id = store::sha256_of(slurp("t.tar"));
        for (const std::string name :
             {"t.tar", "t.tar.gz", "t.tar.zst", "t.tar.gz2", "t.tar.zst2"}) {
            SCOPED_TRACE(name);
            const auto done = unpack_blob(slurp(name), diff_id);
            ASSERT_TRUE(done) << done.error().message;
            expect_equal(path_ + "/expected", at(""), GetParam());
            if (format == "posix") {
                expect_equal(path_ + "/tree", at(""), GetParam());
            }
            ASSERT_EQ(store().collect({}).value().layers, 1U);
            diff_ids_.clear();
        }
    }
}

TEST_P(Equality, EverySparseFormatKeepsItsHoles) {
    ASSERT_EQ(run_script("cd " + path_ + kOddTree), 0) << script_errors();
    for (const std::string version : {"0.0", "0.1", "1.0"}) {
        SCOPED_TRACE(version);
        ASSERT_EQ(
            run_script("cd " + path_ + "/tree; tar -S -H posix --sparse-version=" + version +
                       " -cf ../t.tar sparse allhole manyholes random; rm -rf ../only; mkdir "
                       "../only; cp -a --sparse=always sparse allhole manyholes random ../only"),
            0)
            << script_errors();
        ASSERT_TRUE(unpack(slurp("t.tar")));
        for (const char* name : {"sparse", "allhole", "manyholes"}) {
            if (GetParam() == Driver::erofs) {
                continue;
            }
            EXPECT_LT(info(name).st_blocks * 512, info(name).st_size / 2) << name;
        }
        ASSERT_EQ(run_script("cd " + path_ + "/only; for f in *; do cmp $f " + at("") + "$f; done"),
                  0)
            << script_errors();
        diff_ids_.clear();
    }
}

TEST_P(Equality, LayersMergeToWhatUmociUnpacks) {
    if (access("/usr/bin/umoci", X_OK) != 0) {
        GTEST_SKIP() << "needs umoci";
    }
    ASSERT_EQ(run_script("cd " + path_ + R"(
mkdir -p b/usr/lib b/d/sub b/gone b/o/deep; ln -s usr/lib b/lib
echo 1 > b/usr/lib/one; echo old > b/d/old; echo f > b/d/sub/f; echo g > b/gone/g; echo h > b/h
echo o > b/o/deep/x; echo k > b/o/k; chmod 0700 b/d; chown 5:6 b/d/sub; touch -d 2001-01-01 b/d b/d/sub
tar -C b -H posix -cf 1.tar .
mkdir -p c/d/sub c/o/deep c/gone; chown 5:6 c/d/sub; chmod 0700 c/d
: > c/d/.wh.old; : > c/.wh.h; : > c/o/.wh..wh..opq; echo n > c/o/new; echo n > c/d/sub/new
: > c/.wh.gone; echo back > c/gone/back; touch -d 2002-02-02 c/d c/d/sub c/o c/gone
tar -C c -H posix --no-recursion -cf 2.tar d d/sub/new o o/new .wh.h .wh.gone gone gone/back
mkdir -p e/lib e/d/sub; echo two > e/lib/two; ln e/lib/two e/again
tar -C e -H posix -cf 3.tar lib/two again
mkdir oci; umoci init --layout oci2; umoci new --image oci2:x
for i in 1 2 3; do umoci raw add-layer --image oci2:x $i.tar; done
umoci unpack --image oci2:x bundle
)"),
              0)
        << script_errors();
    for (const char* name : {"1.tar", "2.tar", "3.tar"}) {
        const auto done = unpack(slurp(name));
        ASSERT_TRUE(done) << done.error().message;
    }
    show_layers();
    const auto root =
        make_root(store(), store::chain_ids(diff_ids_), path_, RootAccess::read_write).value();
    const std::string options = fmt::format(
        "lowerdir={},upperdir={},workdir={}", fmt::join(root.lowers, ":"), root.upper, root.work);
    auto child = sys::clone_process(CLONE_NEWNS).value();
    if (child.in_child()) {
        // In a mount namespace of its own, so that nothing stays mounted whatever happens.
        int status = mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
        status |= mount("overlay", root.merged.c_str(), "overlay", 0, options.c_str());
        if (status == 0) {
            expect_equal(path_ + "/bundle/rootfs", root.merged, GetParam());
        }
        _exit(status != 0 ? 2 : HasFailure() ? 1 : 0);
    }
    EXPECT_EQ(sys::reap(child.pidfd).value().code(), 0);
}

TEST_P(Equality, ABombStopsAtTheLimitInConstantMemory) {
    TarWriter tar;
    tar.add({.name = "bomb", .stated_size = 600ULL << 20U});
    const sys::Fd dir = sys::open_path(path_, O_RDONLY | O_DIRECTORY).value();
    ASSERT_TRUE(sys::replace_file(dir, "head", tar.without_end(), 0600));
    ASSERT_EQ(
        run_script("cd " + path_ + "; (gzip -c head; head -c 600M /dev/zero | gzip -1) > bomb"), 0)
        << script_errors();
    limits_ = kStrictLimits;
    const auto result = unpack_blob(slurp("bomb"), store::sha256_of("whatever"));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::limit_exceeded) << result.error().message;
    EXPECT_NE(result.error().hint.find("--policy"), std::string::npos);
    EXPECT_EQ(layers(), 0U);
    if (!sys::kIsSanitized) {  // its shadow and quarantine are memory too
        rusage usage{};
        ASSERT_EQ(getrusage(RUSAGE_CHILDREN, &usage), 0);
        // The test's own memory is the worker's too, as it is a clone: what counts is that 512 MiB
        // are not in it.
        EXPECT_LT(usage.ru_maxrss, 200 * 1024);
    }
}

TEST_P(Equality, AfterAKillInTheMiddleItWorksAndNothingIsLeft) {
    TarWriter tar;
    for (int i = 0; i < 5'000; ++i) {
        tar.file("f" + std::to_string(i), "some data");
    }
    const std::string bytes = tar.end();
    diff_ids_.push_back(store::sha256_of(bytes));
    const UnpackRequest request{.blob = store().put_blob(bytes).value(),
                                .diff_id = diff_ids_[0],
                                .chain = diff_ids_,
                                .driver = GetParam()};
    auto child = sys::clone_process(0).value();
    if (child.in_child()) {
        const auto job = Unpack::start(store(), request);
        // Wait for the first files, then die without a chance to clean up.
        while (true) {
            const auto names = sys::list_dir(store().layers_dir()).value();
            if (!names.empty()) {
                const bool dir = GetParam() == Driver::dir;
                const auto made = sys::open_at(
                    store().layers_dir(), names[0] + (dir ? "/fs" : "/data"), O_RDONLY);
                if (made && (dir ? sys::list_dir(*made).value().size() > 10
                                 : sys::stat_of(*made).value().st_size > 0)) {
                    raise(SIGKILL);
                }
            }
        }
    }
    EXPECT_TRUE(sys::reap(child.pidfd).value().signaled);
    EXPECT_EQ(layers(), 1U);
    EXPECT_FALSE(store().has_layer(diff_ids_[0]).value());
    // The worker dies with its parent; as long as it lives it holds the lock.
    const std::string left = sys::list_dir(store().layers_dir()).value()[0];
    (void)sys::FileLock::acquire(store().layers_dir(), left + "/lock", sys::FileLock::Kind::shared);
    store_.push_back(store::Store::open(path_ + "/store").value());
    EXPECT_EQ(layers(), 0U);
    auto again = Unpack::start(store_.back(), request);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->finish().value().entries, 5'000U);
    EXPECT_EQ(layers(), 1U);
}

TEST_P(Equality, TwoProcessesMayUnpackTheSameLayer) {
    const std::string bytes = TarWriter().file("f").end();
    diff_ids_.push_back(store::sha256_of(bytes));
    const UnpackRequest request{.blob = store().put_blob(bytes).value(),
                                .diff_id = diff_ids_[0],
                                .chain = diff_ids_,
                                .driver = GetParam()};
    auto one = Unpack::start(store(), request);
    auto two = Unpack::start(store(), request);
    EXPECT_TRUE(one->finish());
    EXPECT_TRUE(two->finish());
    EXPECT_EQ(layers(), 1U);
}

TEST_P(Equality, ABlobOfAnotherTarIsNotTakenForALayerThatIsThere) {
    const std::string bytes = TarWriter().file("f").end(), other = TarWriter().file("g").end();
    diff_ids_.push_back(store::sha256_of(bytes));
    UnpackRequest request{.blob = store().put_blob(bytes).value(),
                          .diff_id = diff_ids_[0],
                          .chain = diff_ids_,
                          .driver = GetParam()};
    ASSERT_TRUE(Unpack::start(store(), request)->finish());
    EXPECT_TRUE(Unpack::start(store(), request)->done()) << "read once and remembered";
    request.blob = store().put_blob(other).value();
    for (int i = 0; i < 2; ++i) {
        auto job = Unpack::start(store(), request);
        ASSERT_TRUE(job) << job.error().message;
        const auto taken = job->finish();
        ASSERT_FALSE(taken);
        EXPECT_EQ(taken.error().code, Errc::digest_mismatch);
        EXPECT_NE(taken.error().message.find(store::sha256_of(other).text()), std::string::npos);
    }
    EXPECT_EQ(layers(), 1U);
}

TEST_P(Equality, AnAbandonedJobLeavesNothing) {
    const std::string bytes = TarWriter().file("f").end();
    diff_ids_.push_back(store::sha256_of(bytes));
    {
        const auto job = Unpack::start(store(),
                                       {.blob = store().put_blob(bytes).value(),
                                        .diff_id = diff_ids_[0],
                                        .chain = diff_ids_,
                                        .driver = GetParam()});
        ASSERT_TRUE(job);
        EXPECT_EQ(layers(), 1U);
    }
    EXPECT_EQ(layers(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Equality,
                         Equality,
                         testing::Values(Driver::dir, Driver::erofs),
                         testing_tar::driver_name);

}  // namespace
}  // namespace knarr::layer

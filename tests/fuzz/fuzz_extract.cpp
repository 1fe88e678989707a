// Any bytes as a tar that `cp` unpacks into a directory with links in it that lead out: whatever
// the tar says, nothing beside the directory changes. As root in a tmpfs of its own, by a thread
// for which that is the root of everything, so that a way out leads nowhere either.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/tar_extract.h"
#include "layer_input.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/mount.h"

namespace {

using knarr::sys::Fd;

void check(bool holds, const char* what) {
    if (!holds) {
        std::perror(what);
        std::abort();
    }
}

/// PLACE/{root,outside/secret}; the links in root say "outside" in every way.
class Sandbox {
public:
    Sandbox() {
        if (geteuid() == 0) {
            here_ = knarr::sys::make_filesystem(
                        "tmpfs", "fuzz", {{.key = "size", .value = "256m"}}, MS_NODEV)
                        .value();
            return;
        }
        check(mkdtemp(place_.data()) != nullptr, "mkdtemp");
        here_ = Fd(open(place_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    Sandbox(const Sandbox&) = delete;
    Sandbox& operator=(const Sandbox&) = delete;
    ~Sandbox() {
        if (geteuid() != 0) {
            const Fd tmp(open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
            static_cast<void>(knarr::sys::remove_tree_at(tmp, place_.substr(5)));
        }
    }

    /// The calling thread's root and working directory from here on.
    void enter() {
        check(unshare(CLONE_FS) == 0 && fchdir(here_.get()) == 0 &&
                  (geteuid() != 0 || chroot(".") == 0),
              "enter");
        if (before_.empty()) {
            make_outside();
        }
    }

    void make_outside() {
        check(mkdir("outside", 0755) == 0, "outside");
        const Fd secret(open("outside/secret", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        check(write(secret.get(), "secret", 6) == 6, "secret");
        before_ = state();
    }

    Fd fresh_root() {
        check(knarr::sys::remove_tree_at(here_, "root").has_value(), "clean up");
        check(mkdir("root", 0755) == 0 && mkdir("root/dir", 0755) == 0, "root");
        check(symlink("../outside", "root/out") == 0 && symlink("/outside", "root/abs") == 0 &&
                  symlink("../../outside", "root/dir/a") == 0 &&
                  symlink("../outside/secret", "root/file") == 0,
              "links");
        return Fd(open("root", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }

    void check_outside() const {
        check(state() == before_, "something outside of the directory changed");
    }

private:
    /// What an escape would change: names, inodes, links, owners, modes, times, content.
    static std::string state() {
        std::string text;
        for (const char* path : {"outside", "outside/secret"}) {
            struct stat info{};
            check(lstat(path, &info) == 0, path);
            text += fmt::format("{} {} {} {} {} {} {} {}.{};",
                                path,
                                info.st_ino,
                                info.st_nlink,
                                info.st_uid,
                                info.st_gid,
                                info.st_mode,
                                info.st_size,
                                info.st_mtim.tv_sec,
                                info.st_mtim.tv_nsec);
        }
        return text + knarr::sys::read_file("outside/secret", 64).value();
    }

    std::string place_ = "/tmp/knarr-fuzz-extract-XXXXXX";  // of who is not root
    Fd here_;
    std::string before_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static Sandbox sandbox;
    const std::string bytes =
        knarr::fuzz::with_checksums({reinterpret_cast<const char*>(data), size});
    const Fd input(memfd_create("tar", MFD_CLOEXEC));
    check(input.valid() &&
              write(input.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()),
          "input");
    check(lseek(input.get(), 0, SEEK_SET) == 0, "lseek");
    std::thread([&] {
        sandbox.enter();
        const Fd root = sandbox.fresh_root();
        static_cast<void>(knarr::engine::extract_tar(input, root));
        sandbox.check_outside();
    }).join();
    return 0;
}

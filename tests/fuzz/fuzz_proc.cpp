// Four texts with zero bytes between them, as mountinfo, cgroup, status and cgroup.controllers:
// what a container in which knarr runs may have made its own.

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/text.h"
#include "platform/host_facts.h"
#include "platform/mountinfo.h"

namespace {

/// A /proc and a /sys of our own, rewritten for each input.
class Files {
public:
    Files() {
        std::string name = "/dev/shm/knarr-fuzz-XXXXXX";
        if (mkdtemp(name.data()) == nullptr) {
            std::abort();
        }
        root_ = name;
        for (const char* folder : kFolders) {
            std::filesystem::create_directory(root_ / folder);
        }
    }
    ~Files() {
        for (const char* file : kFiles) {
            std::filesystem::remove(root_ / file);
        }
        for (auto folder = kFolders.rbegin(); folder != kFolders.rend(); ++folder) {
            std::filesystem::remove(root_ / *folder);
        }
        std::filesystem::remove(root_);
    }
    Files(const Files&) = delete;
    Files& operator=(const Files&) = delete;

    void write(const char* name, std::string_view text) const {
        std::ofstream(root_ / name, std::ios::binary) << text;
    }
    std::string path(const char* name) const { return root_ / name; }

    static constexpr std::array kFiles{"proc/self/mountinfo",
                                       "proc/self/cgroup",
                                       "proc/self/status",
                                       "sys/fs/cgroup/cgroup.controllers"};

private:
    static constexpr std::array kFolders{"proc", "proc/self", "sys", "sys/fs", "sys/fs/cgroup"};
    std::filesystem::path root_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Files kHost;
    const auto parts = knarr::split({reinterpret_cast<const char*>(data), size}, '\0');
    const auto part = [&](std::size_t i) { return i < parts.size() ? parts[i] : ""; };
    for (const std::string_view line : knarr::split(part(0), '\n')) {
        if (const auto mount = knarr::sys::parse_mount_line(line)) {
            static_cast<void>(knarr::sys::is_below(mount->mount_point, mount->root));
        }
    }
    for (std::size_t i = 0; i < Files::kFiles.size(); ++i) {
        kHost.write(Files::kFiles[i], part(i));
    }
    const auto facts = knarr::sys::probe_host_at(kHost.path("proc"), kHost.path("sys"));
    if (facts) {
        for (const auto& one : facts->cgroups) {
            if (!one.v2 && one.controllers.empty()) {
                std::abort();
            }
        }
        static_cast<void>(facts->hierarchy_of("memory"));
    }
    return 0;
}

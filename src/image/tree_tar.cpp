#include "image/tree_tar.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "core/core.h"
#include "platform/file.h"
#include "platform/mount.h"
#include "platform/node.h"
#include "platform/xattr.h"

namespace knarr::image {

namespace {

constexpr std::size_t kBlock = 512, kMaxName = 100, kBufferBytes = size::kMiB;
constexpr std::size_t kMaxKernelTextBytes = 16 * size::kMiB;  // of a file of /proc or /sys
constexpr std::size_t kMaxDepth = 512;                        // each level holds a descriptor
constexpr std::uint64_t kMaxOctal7 = 07777777, kMaxOctal11 = 077777777777;

/// What a header says.
struct Entry {
    std::string path, link = {};
    char type = '0';
    struct stat info{};
    std::uint64_t size = 0;
    std::vector<std::pair<std::string, std::string>> xattrs = {};
};

/// "LENGTH KEY=VALUE\n", where the length counts its own digits.
std::string pax_record(std::string_view key, std::string_view value) {
    const std::size_t rest = key.size() + value.size() + 3;  // blank, '=', line break
    std::size_t length = rest + 1;
    while (std::to_string(length).size() + rest != length) {
        ++length;
    }
    return fmt::format("{} {}={}\n", length, key, value);
}

/// What the fields of the header have no room for.
std::string pax_records(const Entry& entry) {
    std::string out;
    const auto number = [&](const char* key, std::uint64_t value, std::uint64_t max) {
        if (value > max) {
            out += pax_record(key, fmt::format("{}", value));
        }
    };
    if (entry.path.size() > kMaxName) {
        out += pax_record("path", entry.path);
    }
    if (entry.link.size() > kMaxName) {
        out += pax_record("linkpath", entry.link);
    }
    number("size", entry.size, kMaxOctal11);
    number("uid", entry.info.st_uid, kMaxOctal7);
    number("gid", entry.info.st_gid, kMaxOctal7);
    const timespec& time = entry.info.st_mtim;
    if (time.tv_nsec != 0 && time.tv_sec >= 0) {
        out += pax_record("mtime", fmt::format("{}.{:09}", time.tv_sec, time.tv_nsec));
    }
    for (const auto& [name, value] : entry.xattrs) {
        out += pax_record("SCHILY.xattr." + name, value);
    }
    return out;
}

std::string header(const Entry& entry) {
    std::string block(kBlock, '\0');
    const auto put = [&](std::size_t at, std::size_t room, std::string_view text) {
        block.replace(at, std::min(room, text.size()), text.substr(0, room));
    };
    const auto octal = [&](std::size_t at, std::size_t digits, std::uint64_t value) {
        put(at, digits, fmt::format("{:0{}o}", value, digits));
    };
    const auto bounded = [](std::uint64_t value, std::uint64_t max) {
        return value > max ? 0 : value;
    };
    const bool device = entry.type == '3' || entry.type == '4';
    put(0, kMaxName, entry.path);
    octal(100, 7, entry.info.st_mode & 07777U);
    octal(108, 7, bounded(entry.info.st_uid, kMaxOctal7));
    octal(116, 7, bounded(entry.info.st_gid, kMaxOctal7));
    octal(124, 11, bounded(entry.size, kMaxOctal11));
    octal(136, 11, static_cast<std::uint64_t>(std::max<time_t>(entry.info.st_mtim.tv_sec, 0)));
    put(148, 8, "        ");
    block[156] = entry.type;
    put(157, kMaxName, entry.link);
    put(257, 8, std::string_view("ustar\00000", 8));
    octal(329, 7, device ? major(entry.info.st_rdev) : 0);
    octal(337, 7, device ? minor(entry.info.st_rdev) : 0);
    std::uint64_t sum = 0;
    for (const char c : block) {
        sum += static_cast<unsigned char>(c);
    }
    put(148, 8, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
    return block;
}

enum class Mounts : std::uint8_t { left_out, gone_into };

class TreeWriter {
public:
    TreeWriter(const sys::Fd& out, Mounts mounts) : out_(out), mounts_(mounts) {}

    Result<> run(const sys::Fd& root) {
        sys::Fd top = KNARR_TRY(sys::open_at(root, ".", O_RDONLY | O_DIRECTORY));
        KNARR_TRY(enter(std::move(top), ""));
        return go_on();
    }

    /// The one entry with all that is below it.
    Result<std::uint64_t> run_one(const sys::Fd& dir,
                                  const std::string& name,
                                  const std::string& as) {
        KNARR_TRY(write_entry(dir, name, as), "{}", printable(name));
        KNARR_TRY(go_on());
        return kernel_views_;
    }

private:
    Result<> go_on() {
        while (!levels_.empty()) {
            Level& level = levels_.back();
            if (level.names.empty()) {
                levels_.pop_back();
                continue;
            }
            const std::string name = std::move(level.names.back());
            level.names.pop_back();
            KNARR_TRY(write_entry(level.dir, name, level.prefix + name), "{}", printable(name));
        }
        buffer_.append(2 * kBlock, '\0');
        return flush();
    }

    struct Level {
        sys::Fd dir;
        std::string prefix;
        std::vector<std::string> names;  // left, the next one last
    };

    Result<> enter(sys::Fd dir, std::string prefix) {
        if (levels_.size() == kMaxDepth) {
            return fail(Errc::limit_exceeded, "more than {} directories deep", kMaxDepth);
        }
        std::vector<std::string> names = KNARR_TRY(sys::list_dir(dir));
        std::ranges::reverse(names);
        levels_.push_back(
            {.dir = std::move(dir), .prefix = std::move(prefix), .names = std::move(names)});
        return {};
    }

    Result<> write_entry(const sys::Fd& dir, const std::string& name, const std::string& path) {
        const auto found = KNARR_TRY(sys::stat_at(dir, name));
        if (!found || S_ISSOCK(found->st_mode)) {
            return {};  // gone meanwhile, or nothing that a tar can hold
        }
        Entry entry{.path = path, .info = *found};
        if (!S_ISDIR(found->st_mode) && found->st_nlink > 1) {
            const auto [first, is_new] = names_.try_emplace({found->st_dev, found->st_ino}, path);
            if (!is_new) {
                entry.type = '1';
                entry.link = first->second;
                return write_header(entry);
            }
        }
        if (S_ISREG(found->st_mode) || S_ISDIR(found->st_mode)) {
            return write_opened(dir, name, std::move(entry));
        }
        if (S_ISLNK(found->st_mode)) {
            entry.type = '2';
            entry.link = KNARR_TRY(sys::read_link_at(dir, name));
        } else {
            entry.type = S_ISCHR(found->st_mode) ? '3' : S_ISBLK(found->st_mode) ? '4' : '6';
        }
        return write_header(entry);
    }

    Result<> write_opened(const sys::Fd& dir, const std::string& name, Entry entry) {
        const bool asked_for = levels_.empty();  // that one may be a mount itself
        const std::uint64_t stay = asked_for || mounts_ == Mounts::gone_into ? 0 : RESOLVE_NO_XDEV;
        auto opened = sys::open_how(
            dir, name, O_PATH | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | stay);
        if (!opened && (opened.error().sys_errno == ENOENT || opened.error().sys_errno == EXDEV)) {
            return {};  // gone meanwhile; something is mounted there
        }
        const sys::Fd found = KNARR_TRY(std::move(opened));
        const mode_t type = KNARR_TRY(sys::stat_of(found)).st_mode & S_IFMT;
        if (type != S_IFREG && type != S_IFDIR) {
            return {};  // replaced meanwhile
        }
        sys::Fd file = KNARR_TRY(sys::reopen(found, O_RDONLY));
        entry.info = KNARR_TRY(sys::stat_of(file));
        entry.xattrs = KNARR_TRY(sys::list_xattrs(file));
        // What only means something to this host's own policy or overlay.
        std::erase_if(entry.xattrs, [](const auto& one) {
            return one.first == "security.selinux" || one.first.starts_with("trusted.") ||
                   sys::is_overlay_xattr(one.first);
        });
        if (S_ISDIR(entry.info.st_mode)) {
            entry.type = '5';
            entry.path += '/';
            KNARR_TRY(write_header(entry));
            if (!asked_for && KNARR_TRY(sys::stat_of(dir)).st_dev != entry.info.st_dev &&
                sys::is_kernel_view(file)) {
                ++kernel_views_;
                return {};
            }
            return enter(std::move(file), entry.path);
        }
        if (asked_for && sys::is_kernel_view(file)) {  // its size says nothing
            const std::string text = KNARR_TRY(sys::read_all(file, kMaxKernelTextBytes));
            entry.size = text.size();
            KNARR_TRY(write_header(entry));
            KNARR_TRY(write(text));
            return pad(entry.size);
        }
        entry.size = static_cast<std::uint64_t>(entry.info.st_size);
        KNARR_TRY(write_header(entry));
        return write_content(file, entry.size);
    }

    Result<> write_content(const sys::Fd& file, std::uint64_t bytes) {
        std::vector<char> part(std::min<std::uint64_t>(bytes, kBufferBytes));
        std::uint64_t left = bytes;
        while (left > 0) {
            const std::span<char> room =
                std::span(part).first(std::min<std::uint64_t>(left, part.size()));
            const std::size_t got = KNARR_TRY(sys::read_some(file, room));
            if (got == 0) {  // it became shorter: the header has been written
                std::ranges::fill(room, '\0');
            }
            const std::size_t count = got == 0 ? room.size() : got;
            KNARR_TRY(write({room.data(), count}));
            left -= count;
        }
        return pad(bytes);
    }

    Result<> write_header(const Entry& entry) {
        const std::string records = pax_records(entry);
        if (!records.empty()) {
            Entry pax{.path = "pax", .type = 'x', .info = entry.info, .size = records.size()};
            pax.info.st_mode = 0644;
            pax.info.st_mtim.tv_nsec = 0;
            KNARR_TRY(write(header(pax)));
            KNARR_TRY(write(records));
            KNARR_TRY(pad(records.size()));
        }
        return write(header(entry));
    }

    Result<> pad(std::uint64_t written) {
        buffer_.append((kBlock - written % kBlock) % kBlock, '\0');
        return {};
    }

    Result<> write(std::string_view bytes) {
        buffer_ += bytes;
        return buffer_.size() < kBufferBytes ? Result<>{} : flush();
    }

    Result<> flush() {
        KNARR_TRY(sys::write_all(out_, buffer_), "write the tar");
        buffer_.clear();
        return {};
    }

    const sys::Fd& out_;
    const Mounts mounts_;
    std::uint64_t kernel_views_ = 0;
    std::string buffer_;
    std::vector<Level> levels_;
    std::map<std::pair<dev_t, ino_t>, std::string> names_;  // the first name of a file with several
};

}  // namespace

Result<> write_tree(const sys::Fd& root, const sys::Fd& out) {
    return TreeWriter(out, Mounts::left_out).run(root);
}

Result<std::uint64_t> write_entry(const sys::Fd& dir,
                                  const std::string& name,
                                  const std::string& as,
                                  const sys::Fd& out) {
    return TreeWriter(out, Mounts::gone_into).run_one(dir, name, as);
}

}  // namespace knarr::image

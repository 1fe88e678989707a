#include "engine/tar_extract.h"

#include <array>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "core/text.h"
#include "layer/path.h"
#include "layer/tar_entry.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/node.h"

namespace knarr::engine {

namespace {

constexpr std::uint64_t kNoLinks = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;

class Input final : public layer::ByteSource {
public:
    explicit Input(const sys::Fd& fd) : fd_(fd) {}
    Result<std::string_view> next() override {
        const std::size_t got = KNARR_TRY(sys::read_some(fd_, room_), "read the tar");
        const std::string_view piece(room_.data(), got);
        if (std::exchange(first_, false)) {
            KNARR_TRY(refuse_compressed(piece));
        }
        return piece;
    }

private:
    /// By gzip's, zstd's, bzip2's and xz's first bytes, none of which begins a tar.
    static Result<> refuse_compressed(std::string_view piece) {
        using std::string_view_literals::operator""sv;
        for (const auto& [magic, program] : {std::pair("\x1f\x8b"sv, "gzip"sv),
                                             std::pair("\x28\xb5\x2f\xfd"sv, "zstd"sv),
                                             std::pair("BZh"sv, "bzip2"sv),
                                             std::pair("\xfd\x37zXZ\0"sv, "xz"sv)}) {
            if (piece.starts_with(magic)) {
                return fail(Error{.code = Errc::invalid_argument,
                                  .message = fmt::format("the tar is compressed by {}", program),
                                  .hint = fmt::format("{} -dc FILE | knarr cp - ID:DIR", program)});
            }
        }
        return {};
    }

    bool first_ = true;
    const sys::Fd& fd_;
    std::array<char, 65536> room_{};
};

/// The directory of an entry; missing ones are made, links are refused.
Result<sys::Fd> open_parent(const sys::Fd& root, std::string_view path) {
    sys::Fd at = KNARR_TRY(sys::open_at(root, ".", O_RDONLY | O_DIRECTORY));
    if (path.empty()) {
        return at;
    }
    for (const std::string_view part : split(path, '/')) {
        const std::string name(part);
        const Result<> made = sys::make_dir_at(at, name, 0755);
        if (!made && made.error().sys_errno != EEXIST) {
            return fail(made.error());
        }
        at = KNARR_TRY(sys::open_how(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, kNoLinks));
    }
    return at;
}

/// What the attributes of an entry are to be set on: they are never set by name, since a program in
/// the container may put another file there, which would get root's set-user-ID bit.
Result<sys::Fd> open_made(const sys::Fd& dir, const std::string& name, mode_t type) {
    sys::Fd made = KNARR_TRY(sys::open_at(dir, name, O_PATH | O_NOFOLLOW));
    if ((KNARR_TRY(sys::stat_of(made)).st_mode & S_IFMT) != type) {
        return fail(Errc::io, "it was replaced meanwhile");
    }
    return made;
}

Result<> link_again(const layer::TarEntry& entry,
                    const sys::Fd& root,
                    const sys::Fd& dir,
                    const std::string& name) {
    const std::string target = KNARR_TRY(layer::normal_path(entry.link_target));
    const layer::SplitPath first = layer::split_last(target);
    const sys::Fd target_dir =
        first.parent.empty()
            ? KNARR_TRY(sys::open_at(root, ".", O_RDONLY | O_DIRECTORY))
            : KNARR_TRY(
                  sys::open_how(root, std::string(first.parent), O_RDONLY | O_DIRECTORY, kNoLinks));
    return sys::hard_link_at(target_dir, std::string(first.name), dir, name);
}

/// Makes the entry, which is no hard link; a descriptor of it.
Result<sys::Fd> make(layer::TarReader& tar,
                     const layer::TarEntry& entry,
                     const sys::Fd& dir,
                     const std::string& name) {
    using enum layer::EntryType;
    if (entry.type == symlink) {
        KNARR_TRY(sys::make_symlink_at(dir, name, entry.link_target));
        return open_made(dir, name, S_IFLNK);
    }
    if (entry.type == file) {
        sys::Fd made =
            KNARR_TRY(sys::open_at(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
        KNARR_TRY(layer::write_data(tar, entry, made));
        return made;
    }
    const mode_t type = layer::special_type(entry.type);
    KNARR_TRY(
        sys::make_node_at(dir, name, type | 0600, makedev(entry.device_major, entry.device_minor)));
    return open_made(dir, name, type);
}

Result<> extract(layer::TarReader& tar, const layer::TarEntry& entry, const sys::Fd& root) {
    const std::string path = KNARR_TRY(layer::normal_path(entry.path));
    if (path.empty()) {
        return {};  // the directory itself, which is there
    }
    const layer::SplitPath parts = layer::split_last(path);
    const sys::Fd dir = KNARR_TRY(open_parent(root, parts.parent));
    const std::string name(parts.name);
    const bool is_dir = entry.type == layer::EntryType::directory;
    const auto there = KNARR_TRY(sys::stat_at(dir, name));
    const bool merges = is_dir && there && S_ISDIR(there->st_mode);
    if (!is_dir && there && S_ISDIR(there->st_mode)) {
        return fail(Errc::invalid_argument, "it would take the place of a directory");
    }
    if (!merges) {
        KNARR_TRY(sys::unlink_at(dir, name));
    }
    if (entry.type == layer::EntryType::hard_link) {
        return link_again(entry, root, dir, name);
    }
    if (is_dir && !merges) {
        KNARR_TRY(sys::make_dir_at(dir, name, 0700));
    }
    const sys::Fd made =
        is_dir ? KNARR_TRY(open_made(dir, name, S_IFDIR)) : KNARR_TRY(make(tar, entry, dir, name));
    struct stat like{};
    like.st_mode = entry.mode & 07777;
    like.st_uid = entry.uid;
    like.st_gid = entry.gid;
    like.st_mtim = {.tv_sec = entry.mtime_s, .tv_nsec = entry.mtime_ns};
    like.st_atim = like.st_mtim;
    return sys::set_attributes(made, like);
}

}  // namespace

Result<> extract_tar(const sys::Fd& input, const sys::Fd& root) {
    Input source(input);
    layer::TarReader tar(source);
    while (const auto entry = KNARR_TRY(tar.next())) {
        KNARR_TRY(extract(tar, *entry, root), "{}", printable(entry->path));
    }
    return {};
}

}  // namespace knarr::engine

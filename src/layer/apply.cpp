#include "layer/apply.h"

#include <sys/stat.h>

#include "core/text.h"
#include "layer/inflate.h"
#include "layer/path.h"

namespace knarr::layer {

namespace {

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
constexpr std::string_view kAufs = ".wh..wh.";  // bookkeeping of aufs, no content

class Applier {
public:
    Applier(TarReader& tar, OwnTree& own, const ApplyRequest& request)
        : tar_(tar), own_(own), request_(request), view_(own, request.lowers) {}

    Result<Applied> run();

private:
    Result<> apply(const TarEntry& entry);
    Result<> apply_root(const TarEntry& entry);
    Result<> whiteout(const TarEntry& entry, const std::string& parent, std::string_view name);
    Result<> make(const TarEntry& entry, const std::string& path);
    Result<> make_directory(const TarEntry& entry, const std::string& path);
    Result<> make_link(const TarEntry& entry, const std::string& path);
    Result<> check_size(const TarEntry& entry);
    Result<> copy_up(const View::Found& found, const std::string& path);
    Result<> count_bytes(std::uint64_t bytes);
    Result<Attributes> attributes_of(const TarEntry& entry);
    Result<> remove(const std::string& path);

    TarReader& tar_;
    OwnTree& own_;
    const ApplyRequest& request_;
    View view_;
    Applied done_;
};

Result<> Applier::count_bytes(std::uint64_t bytes) {
    done_.bytes += bytes;
    if (done_.bytes + request_.lower_bytes > request_.limits.max_rootfs_bytes) {
        return fail(Error{.code = Errc::limit_exceeded,
                          .message = fmt::format("the image's files exceed {} bytes",
                                                 request_.limits.max_rootfs_bytes),
                          .hint = kPolicyHint});
    }
    return {};
}

Result<Attributes> Applier::attributes_of(const TarEntry& entry) {
    Attributes out{.uid = entry.uid,
                   .gid = entry.gid,
                   .mode = entry.mode,
                   .mtime_s = entry.mtime_s,
                   .mtime_ns = entry.mtime_ns};
    for (const auto& xattr : entry.xattrs) {
        if (is_portable_xattr(xattr.first) && xattr.first.find('\0') == std::string::npos) {
            KNARR_TRY(check_xattr(xattr.first, xattr.second));
            out.xattrs.push_back(xattr);
        } else {
            ++done_.skipped_xattrs;
        }
    }
    return out;
}

/// Makes room at a path that is taken: by an earlier entry, or by a whiteout of this layer.
Result<> Applier::remove(const std::string& path) {
    KNARR_TRY(own_.remove(path));
    view_.forget(path);
    return {};
}

Result<> Applier::make_directory(const TarEntry& entry, const std::string& path) {
    const Attributes attributes = KNARR_TRY(attributes_of(entry));
    if (KNARR_TRY(own_.add_directory(path, attributes)) == OwnTree::Added::done) {
        return {};
    }
    const auto there = KNARR_TRY(own_.find(path));
    if (there && there->kind == OwnEntry::Kind::directory) {
        return own_.set_attributes(path, attributes);
    }
    KNARR_TRY(remove(path));
    // What was here hid the lower layers' directory; the new one must go on hiding it.
    view_.mark_opaque(path);
    KNARR_TRY(own_.add_directory(path, attributes));
    return {};
}

Result<> Applier::check_size(const TarEntry& entry) {
    if (entry.size > request_.limits.max_rootfs_bytes) {
        return fail(Error{.code = Errc::limit_exceeded,
                          .message = fmt::format("the file has {} bytes", entry.size),
                          .hint = kPolicyHint});
    }
    return count_bytes(entry.stored_size);
}

/// A file of a lower layer as this layer's own, as overlayfs would do it for link(2).
Result<> Applier::copy_up(const View::Found& found, const std::string& path) {
    if (!S_ISREG(found.info.st_mode)) {
        return fail(Errc::invalid_image, "{} of a lower layer is not a file", printable(path));
    }
    const sys::Fd from = KNARR_TRY(View::open_lower(found, path));
    KNARR_TRY(view_.directory(std::string(split_last(path).parent), LinkRule::follow_lower));
    KNARR_TRY(count_bytes(static_cast<std::uint64_t>(found.info.st_blocks) * 512));
    return own_.copy_up(path,
                        {.file = from,
                         .size = static_cast<std::uint64_t>(found.info.st_size),
                         .attributes = KNARR_TRY(View::attributes_of(found, from))});
}

Result<> Applier::make_link(const TarEntry& entry, const std::string& path) {
    const std::string raw =
        KNARR_TRY(normal_path(entry.link_target), "hard link to {}", printable(entry.link_target));
    const auto [parent, name] = split_last(raw);
    if (name.empty() || name.starts_with(kWhiteout)) {
        return fail(Errc::invalid_image, "a hard link to {}", printable(entry.link_target));
    }
    const std::string place =
        KNARR_TRY(view_.directory(std::string(parent), LinkRule::follow_lower),
                  "hard link to {}",
                  printable(raw));
    const std::string target = join(place, name);
    if (target == path) {
        return fail(Errc::invalid_image, "a hard link to itself");
    }
    const auto own = KNARR_TRY(own_.find(target));
    std::optional<View::Found> below;
    if (!own) {
        below = KNARR_TRY(view_.lower(target));
    }
    using Kind = OwnEntry::Kind;
    if (own ? own->kind == Kind::whiteout : !below || is_whiteout(below->info)) {
        return fail(Errc::invalid_image, "a hard link to {}, which is not there", printable(raw));
    }
    const bool is_link = own ? own->kind == Kind::link : S_ISLNK(below->info.st_mode);
    if (is_link || (own ? own->kind == Kind::directory : S_ISDIR(below->info.st_mode))) {
        return fail(Errc::invalid_image,
                    "a hard link to {}, which is a {}",
                    printable(raw),
                    is_link ? "symbolic link" : "directory");
    }
    if (!own) {
        KNARR_TRY(copy_up(*below, target), "hard link to {}", printable(raw));
    }
    if (KNARR_TRY(own_.add_hard_link(target, path)) == OwnTree::Added::taken) {
        KNARR_TRY(remove(path));
        KNARR_TRY(own_.add_hard_link(target, path));
    }
    return {};
}

Result<> check_special(const TarEntry& entry) {
    if (entry.type == EntryType::symlink &&
        (entry.link_target.empty() || entry.link_target.size() >= limits::kMaxPathBytes)) {
        return fail(Errc::invalid_image, "a link's target has 1 to 4095 bytes");
    }
    if (entry.type == EntryType::character_device && entry.device_major == 0 &&
        entry.device_minor == 0) {
        return fail(Errc::invalid_image,
                    "a character device 0:0, which would hide files of lower layers");
    }
    return {};
}

Result<> Applier::make(const TarEntry& entry, const std::string& path) {
    if (entry.type == EntryType::directory) {
        return make_directory(entry, path);
    }
    if (entry.type == EntryType::hard_link) {
        return make_link(entry, path);
    }
    const bool is_file = entry.type == EntryType::file;
    KNARR_TRY(is_file ? check_size(entry) : check_special(entry));
    const Attributes attributes = KNARR_TRY(attributes_of(entry));
    const auto add = [&] {
        return is_file ? own_.add_file(path, entry, attributes, tar_)
                       : own_.add_special(path, entry, attributes);
    };
    if (KNARR_TRY(add()) == OwnTree::Added::taken) {
        KNARR_TRY(remove(path));
        KNARR_TRY(add());
    }
    return {};
}

/// Source: image-spec layer.md "Whiteouts".
Result<> Applier::whiteout(const TarEntry& entry,
                           const std::string& parent,
                           std::string_view name) {
    if (entry.type != EntryType::file) {
        return fail(Errc::invalid_image, "a whiteout that is not a file");
    }
    if (name == kOpaque) {
        view_.mark_opaque(KNARR_TRY(view_.directory(parent, LinkRule::refuse)));
        return {};
    }
    const std::string hidden(name.substr(kWhiteout.size()));
    if (hidden.empty() || hidden == "." || hidden == "..") {
        return fail(Errc::invalid_image, "a whiteout of nothing");
    }
    const std::string path = join(KNARR_TRY(view_.directory(parent, LinkRule::refuse)), hidden);
    if (const auto own = KNARR_TRY(own_.find(path))) {
        // This layer's own entry stays; only what is below it goes.
        if (own->kind == OwnEntry::Kind::directory) {
            view_.mark_opaque(path);
        }
        return {};
    }
    // A whiteout of nothing would show as a broken name where directories are not merged.
    return KNARR_TRY(view_.lower(path)) ? own_.add_whiteout(path) : Result<>{};
}

Result<> Applier::apply_root(const TarEntry& entry) {
    if (entry.type != EntryType::directory) {
        return fail(Errc::invalid_image, "the root itself as something else than a directory");
    }
    return own_.set_attributes("", KNARR_TRY(attributes_of(entry)));
}

Result<> Applier::apply(const TarEntry& entry) {
    const std::string path = KNARR_TRY(normal_path(entry.path));
    if (path.empty()) {
        return apply_root(entry);
    }
    const auto [parent_view, name] = split_last(path);
    const std::string parent(parent_view);
    bool in_whiteout = false;
    for (const std::string_view part : split(parent, '/')) {
        if (part.starts_with(kAufs)) {
            return {};
        }
        in_whiteout = in_whiteout || part.starts_with(kWhiteout);
    }
    if (in_whiteout) {
        return fail(Errc::invalid_image, "an entry inside a whiteout");
    }
    if (name.starts_with(kAufs) && name != kOpaque) {
        return {};
    }
    if (name.starts_with(kWhiteout)) {
        return whiteout(entry, parent, name);
    }
    return make(entry, join(KNARR_TRY(view_.directory(parent, LinkRule::follow_lower)), name));
}

Result<Applied> Applier::run() {
    KNARR_TRY(view_.copy_lower_attributes(""));
    while (auto entry = KNARR_TRY(tar_.next())) {
        ++done_.entries;
        KNARR_TRY(apply(*entry), "entry \"{}\"", printable(entry->path));
        if (done_.entries + view_.unnamed_directories() > request_.limits.max_layer_entries) {
            return fail(Error{.code = Errc::limit_exceeded,
                              .message = fmt::format("the layer has more than {} entries",
                                                     request_.limits.max_layer_entries),
                              .hint = kPolicyHint});
        }
    }
    done_.entries += view_.unnamed_directories();
    KNARR_TRY(own_.finish());
    done_.skipped_xattrs += own_.skipped_xattrs();
    done_.opaque.assign(view_.opaque().begin(), view_.opaque().end());
    return std::move(done_);
}

}  // namespace

Result<Applied> apply_tar(TarReader& tar, OwnTree& own, const ApplyRequest& request) {
    return Applier(tar, own, request).run();
}

}  // namespace knarr::layer

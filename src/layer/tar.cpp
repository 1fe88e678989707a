#include "layer/tar.h"

#include <algorithm>
#include <cstring>

#include "core/limits.h"
#include "core/text.h"
#include "layer/tar_extended.h"
#include "layer/tar_number.h"
#include "layer/tar_sparse.h"

namespace knarr::layer {

namespace {

constexpr std::uint64_t kBlock = 512;

/// A text field: up to its first NUL.
std::string_view text_field(std::string_view block, std::size_t at, std::size_t size) {
    const std::string_view field = block.substr(at, size);
    return field.substr(0, field.find('\0'));
}

std::uint64_t padding_of(std::uint64_t size) {
    return (kBlock - size % kBlock) % kBlock;
}

/// Source: the typeflag values of ustar; Go's archive/tar and GNU tar agree on these having no
/// data.
bool has_data(EntryType type) {
    return type == EntryType::file;
}

std::optional<EntryType> entry_type(char flag) {
    switch (flag) {
        case '\0':
        case '0':
        case '7':  // contiguous
        case 'S':  // GNU sparse
            return EntryType::file;
        case '1':
            return EntryType::hard_link;
        case '2':
            return EntryType::symlink;
        case '3':
            return EntryType::character_device;
        case '4':
            return EntryType::block_device;
        case '5':
            return EntryType::directory;
        case '6':
            return EntryType::fifo;
        default:
            return std::nullopt;
    }
}

}  // namespace

Result<bool> TarReader::read_block(TarBlock& block) {
    std::size_t filled = 0;
    while (filled < block.size()) {
        if (have_.empty()) {
            have_ = KNARR_TRY(source_.next());
            if (have_.empty()) {
                if (filled == 0) {
                    return false;
                }
                return fail(Errc::invalid_image, "the tar is cut off after entry {}", number_);
            }
        }
        const std::size_t count = std::min(have_.size(), block.size() - filled);
        std::memcpy(block.data() + filled, have_.data(), count);
        have_.remove_prefix(count);
        position_ += count;
        filled += count;
    }
    return true;
}

Result<std::string_view> TarReader::data() {
    if (left_ == 0) {
        return std::string_view{};
    }
    if (have_.empty()) {
        have_ = KNARR_TRY(source_.next());
        if (have_.empty()) {
            return fail(Errc::invalid_image, "the tar is cut off in the data of entry {}", number_);
        }
    }
    const std::string_view piece = have_.substr(0, std::min<std::uint64_t>(left_, have_.size()));
    have_.remove_prefix(piece.size());
    position_ += piece.size();
    left_ -= piece.size();
    return piece;
}

/// Data that the source can pass over without handing it out.
Result<> TarReader::pass_over() {
    if (left_ > have_.size()) {
        position_ += have_.size();
        left_ -= have_.size();
        have_ = {};
        const std::uint64_t passed = KNARR_TRY(source_.skip(left_));
        position_ += passed;
        left_ -= passed;
    }
    return {};
}

Result<> TarReader::skip_data() {
    KNARR_TRY(pass_over());
    while (left_ != 0) {
        KNARR_TRY(data());
    }
    while (padding_ != 0) {
        if (have_.empty()) {
            have_ = KNARR_TRY(source_.next());
        }
        if (have_.empty()) {
            // Writers that do not end their tar leave out the last padding; Go's reader, and so
            // docker and containerd, take such layers. Nothing of the entry is missing.
            padding_ = 0;
            break;
        }
        const std::uint64_t count = std::min<std::uint64_t>(padding_, have_.size());
        have_.remove_prefix(count);
        position_ += count;
        padding_ -= count;
    }
    return {};
}

Result<std::string> TarReader::read_body(std::uint64_t size,
                                         std::size_t max,
                                         std::string_view what) {
    if (size > max) {
        return fail(Errc::limit_exceeded,
                    "entry {}: {} has {} bytes, at most {} are allowed",
                    number_,
                    what,
                    size,
                    max);
    }
    std::string body;
    body.reserve(size);
    left_ = size;
    padding_ = padding_of(size);
    while (left_ != 0) {
        body += KNARR_TRY(data());
    }
    KNARR_TRY(skip_data());
    return body;
}

Result<> TarReader::read_pax(const TarBlock& block, TarExtended& extended) {
    const auto size =
        parse_tar_number(std::string_view(block.data(), block.size()).substr(124, 12));
    if (!size || *size < 0) {
        return fail(Errc::invalid_image, "entry {}: the PAX header has no valid size", number_);
    }
    const std::string body =
        KNARR_TRY(read_body(static_cast<std::uint64_t>(*size), kMaxPaxBytes, "the PAX header"));
    const PaxScope scope = block[156] == 'g' ? PaxScope::global : PaxScope::entry;
    KNARR_TRY(extended.add_pax(body, scope), "entry {}", number_);
    return {};
}

Result<std::optional<TarEntry>> TarReader::next() {
    KNARR_TRY(skip_data());
    TarExtended extended{.global = global_};
    bool pending = false;  // an extended header wants an entry behind it
    while (true) {
        TarBlock block;
        const bool more = KNARR_TRY(read_block(block));
        if (!more || std::all_of(block.begin(), block.end(), [](char c) { return c == '\0'; })) {
            if (pending) {
                return fail(Errc::invalid_image, "the tar ends after an extended header");
            }
            // One more block of zeros, or the end; what follows is ignored as Docker does.
            if (more && KNARR_TRY(read_block(block)) &&
                !std::all_of(block.begin(), block.end(), [](char c) { return c == '\0'; })) {
                return fail(Errc::invalid_image, "a lone block of zeros after entry {}", number_);
            }
            return std::nullopt;
        }
        ++number_;
        const std::string_view header(block.data(), block.size());
        if (!tar_checksum_matches(header)) {
            return fail(Errc::invalid_image, "entry {}: the header's checksum is wrong", number_);
        }
        const char flag = block[156];
        if (flag == 'x' || flag == 'g') {
            KNARR_TRY(read_pax(block, extended));
            pending = pending || flag == 'x';
        } else if (flag == 'L' || flag == 'K') {
            const auto size = parse_tar_number(header.substr(124, 12));
            if (!size || *size < 0) {
                return fail(
                    Errc::invalid_image, "entry {}: a long name has no valid size", number_);
            }
            std::string name = KNARR_TRY(read_body(
                static_cast<std::uint64_t>(*size), limits::kMaxPathBytes + 1, "a long name"));
            while (name.ends_with('\0')) {
                name.pop_back();
            }
            (flag == 'L' ? extended.long_name : extended.long_link) = std::move(name);
            pending = true;
        } else if (flag == 'V') {
            // A volume label is no file; it has no data.
        } else {
            return KNARR_TRY(make_entry(block, extended));
        }
    }
}

namespace {

/// A number of the header, or the PAX record that overrides it.
Result<std::uint64_t> number_of(const std::string* record,
                                std::string_view field,
                                std::uint64_t max,
                                std::string_view what) {
    if (record != nullptr) {
        if (const auto number = parse_number(*record, max)) {
            return *number;
        }
    } else if (const auto number = parse_tar_number(field);
               number && *number >= 0 && static_cast<std::uint64_t>(*number) <= max) {
        return static_cast<std::uint64_t>(*number);
    }
    return fail(Errc::invalid_image, "its {} is malformed or out of range", what);
}

std::string path_in(std::string_view header) {
    std::string path(text_field(header, 0, 100));
    // GNU's magic is "ustar  "; there the prefix field holds other things.
    if (header.substr(257, 6) == std::string_view("ustar\0", 6)) {
        if (const std::string_view prefix = text_field(header, 345, 155); !prefix.empty()) {
            path = fmt::format("{}/{}", prefix, path);
        }
    }
    return path;
}

// What extended headers say goes before the header's own field.
std::string path_of(const TarExtended& extended, std::string_view header) {
    for (const char* key : {"GNU.sparse.name", "path"}) {
        if (const std::string* path = extended.find(key); path != nullptr) {
            return *path;
        }
    }
    return extended.long_name ? *extended.long_name : path_in(header);
}

std::string link_of(const TarExtended& extended, std::string_view header) {
    if (const std::string* link = extended.find("linkpath"); link != nullptr) {
        return *link;
    }
    return extended.long_link ? *extended.long_link : std::string(text_field(header, 157, 100));
}

}  // namespace

Result<TarEntry> TarReader::make_entry(const TarBlock& block, TarExtended& extended) {
    const std::string_view header(block.data(), block.size());
    const auto record = [&](const char* key) { return extended.find(key); };
    TarEntry entry;
    const auto type = entry_type(block[156]);
    entry.path = path_of(extended, header);
    const std::string context = fmt::format("entry {} \"{}\"", number_, printable(entry.path));
    if (!type) {
        return fail(Errc::invalid_image,
                    "{}: type {} is not known",
                    context,
                    printable(header.substr(156, 1)));
    }
    entry.type = *type;
    if (entry.type == EntryType::file && block[156] != 'S' && entry.path.ends_with('/')) {
        entry.type = EntryType::directory;  // v7 had no type for directories
    }
    entry.link_target = link_of(extended, header);
    if (entry.path.find('\0') != std::string::npos ||
        entry.link_target.find('\0') != std::string::npos) {
        return fail(Errc::invalid_image, "{}: a NUL byte in a name", context);
    }
    constexpr std::uint64_t kMaxId = UINT32_MAX - 1;  // -1 means "leave it" to chown
    entry.mode = static_cast<std::uint32_t>(
        KNARR_TRY(number_of(nullptr, header.substr(100, 8), INT64_MAX, "mode"), "{}", context) &
        07777U);
    entry.uid = static_cast<std::uint32_t>(
        KNARR_TRY(number_of(record("uid"), header.substr(108, 8), kMaxId, "uid"), "{}", context));
    entry.gid = static_cast<std::uint32_t>(
        KNARR_TRY(number_of(record("gid"), header.substr(116, 8), kMaxId, "gid"), "{}", context));
    const auto time = record("mtime") != nullptr ? parse_pax_time(*record("mtime"))
                                                 : [&]() -> std::optional<PaxTime> {
        const auto seconds = parse_tar_number(header.substr(136, 12));
        return seconds ? std::optional(PaxTime{.seconds = *seconds}) : std::nullopt;
    }();
    if (!time) {
        return fail(Errc::invalid_image, "{}: its mtime is malformed", context);
    }
    entry.mtime_s = time->seconds;
    entry.mtime_ns = time->nanoseconds;
    if (entry.type == EntryType::character_device || entry.type == EntryType::block_device) {
        entry.device_major = static_cast<std::uint32_t>(KNARR_TRY(
            number_of(nullptr, header.substr(329, 8), 0xFFF, "device major"), "{}", context));
        entry.device_minor = static_cast<std::uint32_t>(KNARR_TRY(
            number_of(nullptr, header.substr(337, 8), 0xFFFFF, "device minor"), "{}", context));
    }
    // The PAX size rules the data's length, not the header's: reading the one and skipping the
    // other lets a tar hide entries (CVE-2025-62518).
    const std::uint64_t stored = KNARR_TRY(
        number_of(record("size"), header.substr(124, 12), INT64_MAX, "size"), "{}", context);
    entry.xattrs = std::move(extended.xattrs);
    if (has_data(entry.type)) {
        entry.size = entry.stored_size = stored;
        padding_ = padding_of(stored);
    }
    const auto take = [this](TarBlock& next) { return read_block(next); };
    if (block[156] == 'S') {
        KNARR_TRY(read_gnu_sparse(block, take, entry), "{}", context);
    } else if (entry.type == EntryType::file) {
        KNARR_TRY(read_pax_sparse(extended, take, entry), "{}", context);
    }
    left_ = entry.stored_size;
    return entry;
}

}  // namespace knarr::layer

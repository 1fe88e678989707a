#include "layer/tar.h"

#include <algorithm>
#include <cstring>

#include "core/limits.h"
#include "core/text.h"
#include "layer/tar_number.h"

namespace knarr::layer {

namespace {

constexpr std::uint64_t kBlock = 512;
constexpr std::size_t kMaxXattrBytes = size::kMiB;  // all of one entry, with names
// A PAX header holds names and attributes; room for the short records beside them.
constexpr std::size_t kMaxPaxBytes = kMaxXattrBytes + 64 * size::kKiB;
constexpr std::size_t kMaxSparseRuns = 1 << 20;  // 16 MiB of memory
constexpr std::string_view kXattrPrefix = "SCHILY.xattr.";

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

/// Runs must be sorted, apart, inside the file, and together as long as the stored data.
Result<> check_runs(const TarEntry& entry) {
    std::uint64_t at = 0;
    std::uint64_t sum = 0;
    for (const SparseRun& run : entry.runs) {
        if (run.offset < at || run.bytes > entry.size || run.offset > entry.size - run.bytes) {
            return fail(Errc::invalid_image, "the sparse map is out of order or leaves the file");
        }
        at = run.offset + run.bytes;
        sum += run.bytes;
    }
    if (sum != entry.stored_size) {
        return fail(Errc::invalid_image,
                    "the sparse map speaks of {} bytes of data, the entry has {}",
                    sum,
                    entry.stored_size);
    }
    return {};
}

}  // namespace

struct TarReader::Extended {
    std::map<std::string, std::string> records;  // of PAX, without attributes
    std::vector<std::pair<std::string, std::string>> xattrs;
    std::size_t xattr_bytes = 0;
    std::vector<std::uint64_t> sparse_numbers;  // offset, bytes, offset, bytes, ... of format 0.0
    std::optional<std::string> long_name, long_link;

    const std::string* find(const std::map<std::string, std::string>& global,
                            const std::string& key) const {
        if (const auto it = records.find(key); it != records.end()) {
            return it->second.empty() ? nullptr : &it->second;  // empty: as if it were not there
        }
        const auto it = global.find(key);
        return it == global.end() || it->second.empty() ? nullptr : &it->second;
    }
};

Result<bool> TarReader::read_block(Block& block) {
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

/// Source: pax(1) "pax Header Block": records "LENGTH KEY=VALUE\n", LENGTH counts itself.
Result<> TarReader::read_pax(const Block& block, Extended& extended) {
    const std::string_view header(block.data(), block.size());
    const bool global = block[156] == 'g';
    const auto size = parse_tar_number(header.substr(124, 12));
    if (!size || *size < 0) {
        return fail(Errc::invalid_image, "entry {}: the PAX header has no valid size", number_);
    }
    const std::string body =
        KNARR_TRY(read_body(static_cast<std::uint64_t>(*size), kMaxPaxBytes, "the PAX header"));
    std::string_view rest = body;
    while (!rest.empty()) {
        const std::size_t blank = rest.find(' ');
        const auto length = parse_number(rest.substr(0, std::min<std::size_t>(blank, 20)));
        if (blank == std::string_view::npos || !length || *length > rest.size() ||
            *length < blank + 3 || rest[*length - 1] != '\n') {
            return fail(Errc::invalid_image, "entry {}: a PAX record has a wrong length", number_);
        }
        const std::string_view record = rest.substr(blank + 1, *length - blank - 2);
        rest.remove_prefix(*length);
        const std::size_t equals = record.find('=');
        if (equals == 0 || equals == std::string_view::npos) {
            return fail(Errc::invalid_image, "entry {}: a PAX record has no key", number_);
        }
        const std::string key(record.substr(0, equals));
        const std::string_view value = record.substr(equals + 1);
        if (key.starts_with(kXattrPrefix) && !global) {
            extended.xattr_bytes += record.size();
            if (extended.xattr_bytes > kMaxXattrBytes) {
                return fail(Errc::limit_exceeded,
                            "entry {}: its attributes exceed {} bytes",
                            number_,
                            kMaxXattrBytes);
            }
            extended.xattrs.emplace_back(key.substr(kXattrPrefix.size()), value);
        } else if (key == "GNU.sparse.offset" || key == "GNU.sparse.numbytes") {
            const auto number = parse_number(value, INT64_MAX);
            const bool is_offset = key == "GNU.sparse.offset";
            if (!number || is_offset != (extended.sparse_numbers.size() % 2 == 0) ||
                extended.sparse_numbers.size() >= 2 * kMaxSparseRuns) {
                return fail(Errc::invalid_image, "entry {}: the sparse map is malformed", number_);
            }
            extended.sparse_numbers.push_back(*number);
        } else if (key == "path" || key == "linkpath" || key == "size" || key == "uid" ||
                   key == "gid" || key == "mtime" || (key.starts_with("GNU.sparse.") && !global)) {
            (global ? global_ : extended.records)[key] = value;
        }
    }
    return {};
}

Result<std::optional<TarEntry>> TarReader::next() {
    KNARR_TRY(skip_data());
    Extended extended;
    bool pending = false;  // an extended header wants an entry behind it
    while (true) {
        Block block;
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

}  // namespace

Result<TarEntry> TarReader::make_entry(const Block& block, Extended& extended) {
    const std::string_view header(block.data(), block.size());
    const auto record = [&](const char* key) { return extended.find(global_, key); };
    TarEntry entry;
    const auto type = entry_type(block[156]);
    if (const std::string* path = record("GNU.sparse.name"); path != nullptr) {
        entry.path = *path;
    } else if (path = record("path"); path != nullptr) {
        entry.path = *path;
    } else if (extended.long_name) {
        entry.path = *extended.long_name;
    } else {
        entry.path = path_in(header);
    }
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
    if (const std::string* link = record("linkpath"); link != nullptr) {
        entry.link_target = *link;
    } else if (extended.long_link) {
        entry.link_target = *extended.long_link;
    } else {
        entry.link_target = text_field(header, 157, 100);
    }
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
        entry.size = entry.stored_size = left_ = stored;
        padding_ = padding_of(stored);
    }
    if (block[156] == 'S') {
        KNARR_TRY(read_gnu_sparse(block, entry), "{}", context);
    } else if (entry.type == EntryType::file) {
        KNARR_TRY(take_sparse(extended, entry), "{}", context);
    }
    return entry;
}

/// Source: GNU tar's "oldgnu_header": four runs in the header, 21 in each block that follows.
Result<> TarReader::read_gnu_sparse(const Block& block, TarEntry& entry) {
    entry.sparse = true;
    const auto take = [&](std::string_view bytes, std::size_t at, std::size_t count) -> Result<> {
        for (std::size_t i = 0; i < count; ++i) {
            const auto offset = parse_tar_number(bytes.substr(at + 24 * i, 12));
            const auto length = parse_tar_number(bytes.substr(at + 24 * i + 12, 12));
            if (!offset || !length || *offset < 0 || *length < 0 ||
                entry.runs.size() >= kMaxSparseRuns) {
                return fail(Errc::invalid_image, "the sparse map is malformed or too long");
            }
            if (bytes[at + 24 * i] == '\0') {
                break;  // an unused slot
            }
            entry.runs.push_back({.offset = static_cast<std::uint64_t>(*offset),
                                  .bytes = static_cast<std::uint64_t>(*length)});
        }
        return {};
    };
    const std::string_view header(block.data(), block.size());
    const auto real = parse_tar_number(header.substr(483, 12));
    if (!real || *real < 0) {
        return fail(Errc::invalid_image, "the sparse file has no valid size");
    }
    entry.size = static_cast<std::uint64_t>(*real);
    KNARR_TRY(take(header, 386, 4));
    bool more = header[482] != '\0';
    while (more) {
        Block next;
        if (!KNARR_TRY(read_block(next))) {
            return fail(Errc::invalid_image, "the tar is cut off in a sparse map");
        }
        const std::string_view bytes(next.data(), next.size());
        KNARR_TRY(take(bytes, 0, 21));
        more = bytes[504] != '\0';
    }
    return check_runs(entry);
}

Result<> TarReader::take_sparse(Extended& extended, TarEntry& entry) {
    const auto number = [&](const char* key) -> std::optional<std::uint64_t> {
        const auto it = extended.records.find(key);
        return it == extended.records.end() ? std::nullopt : parse_number(it->second, INT64_MAX);
    };
    if (number("GNU.sparse.major") == 1 && number("GNU.sparse.minor") == 0) {
        const auto real = number("GNU.sparse.realsize");
        if (!real) {
            return fail(Errc::invalid_image, "the sparse file has no valid size");
        }
        entry.size = *real;
        return read_sparse_map(entry);
    }
    const auto real = number("GNU.sparse.size");
    if (!real) {
        return {};
    }
    entry.sparse = true;
    entry.size = *real;
    std::vector<std::uint64_t> numbers = std::move(extended.sparse_numbers);
    if (const auto map = extended.records.find("GNU.sparse.map"); map != extended.records.end()) {
        numbers.clear();
        for (const std::string_view part : split(map->second, ',')) {
            const auto value = parse_number(part, INT64_MAX);
            if (!value) {
                return fail(Errc::invalid_image, "the sparse map is malformed");
            }
            numbers.push_back(*value);
        }
    }
    if (numbers.size() % 2 != 0) {
        return fail(Errc::invalid_image, "the sparse map is malformed");
    }
    for (std::size_t i = 0; i < numbers.size(); i += 2) {
        entry.runs.push_back({.offset = numbers[i], .bytes = numbers[i + 1]});
    }
    return check_runs(entry);
}

/// Format 1.0: the map stands before the data, as decimal lines filled up to whole blocks.
Result<> TarReader::read_sparse_map(TarEntry& entry) {
    entry.sparse = true;
    std::vector<std::uint64_t> numbers;
    std::uint64_t wanted = 1;
    std::string line;
    while (numbers.size() < wanted) {
        Block block;
        if (left_ < kBlock || !KNARR_TRY(read_block(block))) {
            return fail(Errc::invalid_image, "the sparse map is cut off");
        }
        left_ -= kBlock;
        for (const char c : block) {
            if (numbers.size() == wanted) {
                break;
            }
            if (c != '\n') {
                line += c;
                if (line.size() > 20) {
                    return fail(Errc::invalid_image, "the sparse map is malformed");
                }
                continue;
            }
            const auto value = parse_number(line, INT64_MAX);
            line.clear();
            if (!value || (numbers.empty() && *value > kMaxSparseRuns)) {
                return fail(Errc::invalid_image, "the sparse map is malformed or too long");
            }
            if (numbers.empty()) {
                wanted = 1 + 2 * *value;
            }
            numbers.push_back(*value);
        }
    }
    for (std::size_t i = 1; i < numbers.size(); i += 2) {
        entry.runs.push_back({.offset = numbers[i], .bytes = numbers[i + 1]});
    }
    entry.stored_size = left_;
    return check_runs(entry);
}

}  // namespace knarr::layer

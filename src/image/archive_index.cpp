#include "image/archive_index.h"

#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "core/core.h"

namespace knarr::image {
namespace {

constexpr std::size_t kBlock = 512;
using Block = std::array<char, kBlock>;

std::string_view field(const Block& block, std::size_t at, std::size_t length) {
    const std::string_view text(block.data() + at, length);
    return text.substr(0, std::min(text.find('\0'), length));
}

/// Octal digits, or base 256 with the highest bit set (GNU).
std::optional<std::uint64_t> number(const Block& block, std::size_t at, std::size_t length) {
    std::uint64_t value = 0;
    const auto first = static_cast<unsigned char>(block[at]);
    if ((first & 0x80) != 0) {
        for (std::size_t i = 0; i < length; ++i) {
            const auto byte = static_cast<unsigned char>(block[at + i]);
            if (value > INT64_MAX >> 8) {
                return std::nullopt;
            }
            value = value << 8 | (i == 0 ? byte & 0x7fU : byte);
        }
        return value;
    }
    std::string_view text = field(block, at, length);
    while (text.starts_with(' ')) {
        text.remove_prefix(1);
    }
    while (text.ends_with(' ')) {
        text.remove_suffix(1);
    }
    for (const char c : text) {
        if (c < '0' || c > '7' || value > INT64_MAX >> 3) {
            return std::nullopt;
        }
        value = value << 3 | static_cast<unsigned>(c - '0');
    }
    return value;
}

bool checksum_is_right(const Block& block) {
    constexpr std::size_t kAt = 148, kLength = 8;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < kBlock; ++i) {
        sum += i >= kAt && i < kAt + kLength ? ' ' : static_cast<unsigned char>(block[i]);
    }
    return number(block, kAt, kLength) == sum;
}

/// What a pax header or long name says about the next entry.
struct Overrides {
    std::string name, link;
    std::optional<std::uint64_t> size;
};

/// Records "LENGTH KEY=VALUE\n". Source: POSIX pax, "pax Extended Header".
Result<> read_pax(std::string_view text, Overrides& overrides) {
    while (!text.empty()) {
        const std::size_t blank = text.find(' ');
        const auto length = parse_number(text.substr(0, blank), text.size());
        const std::size_t equals = text.find('=');
        if (!length || blank == std::string_view::npos || equals == std::string_view::npos ||
            equals < blank || *length < equals + 2 || text[*length - 1] != '\n') {
            return fail(Errc::invalid_image, "a malformed pax header");
        }
        const std::string_view key = text.substr(blank + 1, equals - blank - 1);
        const std::string_view value = text.substr(equals + 1, *length - equals - 2);
        if (key == "path") {
            overrides.name = value;
        } else if (key == "linkpath") {
            overrides.link = value;
        } else if (key == "size") {
            overrides.size = parse_number(value, INT64_MAX);
            if (!overrides.size) {
                return fail(Errc::invalid_image, "a malformed size in a pax header");
            }
        }
        text.remove_prefix(*length);
    }
    return {};
}

std::unexpected<Error> no_archive(std::string why) {
    return fail(Error{.code = Errc::invalid_image,
                      .message = std::move(why),
                      .hint = "the archive must be a whole, uncompressed tar: gunzip it first"});
}

class IndexReader {
public:
    IndexReader(const sys::Fd& file, std::uint64_t size) : file_(file), size_(size) {}

    Result<std::map<std::string, ArchiveEntry, std::less<>>> run() {
        std::size_t headers = 0;
        while (at_ + kBlock <= size_) {
            Block block{};
            KNARR_TRY(read(block));
            if (block[0] == '\0') {
                break;  // the end mark
            }
            if (!checksum_is_right(block)) {
                return no_archive(fmt::format("there is no tar header at byte {}", at_ - kBlock));
            }
            if (++headers > kMaxArchiveEntries) {
                return fail(
                    Errc::limit_exceeded, "it has more than {} entries", kMaxArchiveEntries);
            }
            KNARR_TRY(take(block), "entry {}", headers);
        }
        if (entries_.empty()) {
            return no_archive("it holds no files");
        }
        return std::move(entries_);
    }

private:
    Result<> read(std::span<char> buffer) {
        if (buffer.size() > size_ - at_) {
            return fail(Errc::invalid_image, "the archive ends too early");
        }
        KNARR_TRY(sys::read_at(file_, buffer, at_));
        at_ += buffer.size();
        return {};
    }

    Result<> take(const Block& block) {
        const auto size = next_.size ? next_.size : number(block, 124, 12);
        const char type = block[156];
        if (!size || *size > size_ - at_) {
            return fail(Errc::invalid_image, "its size leads out of the archive");
        }
        if (type == 'x' || type == 'L' || type == 'K') {
            return take_override(type, *size);
        }
        if (type == '0' || type == '\0' || type == '7') {
            add(name_of(block), {.offset = at_, .size = *size});
        } else if (type == '1' || type == '2') {
            add_link(block, type == '2');
        }
        if (type != 'g') {
            next_ = {};
        }
        skip(*size);
        return {};
    }

    Result<> take_override(char type, std::uint64_t size) {
        if (size > kMaxArchiveHeaderBytes) {
            return fail(Errc::limit_exceeded,
                        "a header of {} bytes; at most {} are allowed",
                        size,
                        kMaxArchiveHeaderBytes);
        }
        std::string text(size, '\0');
        const std::uint64_t start = at_;
        KNARR_TRY(read(text));
        at_ = start;
        skip(size);
        if (type == 'x') {
            return read_pax(text, next_);
        }
        (type == 'L' ? next_.name : next_.link) = text.substr(0, text.find('\0'));
        return {};
    }

    std::string name_of(const Block& block) const {
        if (!next_.name.empty()) {
            return next_.name;
        }
        std::string name(field(block, 0, 100));
        const std::string_view prefix = field(block, 345, 155);
        if (std::memcmp(block.data() + 257, "ustar\0", 6) == 0 && !prefix.empty()) {
            name = fmt::format("{}/{}", prefix, name);
        }
        return name;
    }

    void add_link(const Block& block, bool symbolic) {
        const std::string name = clean_name(name_of(block));
        const std::string target =
            next_.link.empty() ? std::string(field(block, 157, 100)) : next_.link;
        // A symbolic link is relative to its directory, a hard link to the archive.
        const std::size_t slash = name.rfind('/');
        const std::string base =
            symbolic && slash != std::string::npos ? name.substr(0, slash + 1) : "";
        add(name, {.link = clean_name(base + target)});
    }

    void add(std::string_view name, ArchiveEntry entry) {
        entries_.insert_or_assign(clean_name(name), std::move(entry));  // the last one counts
    }

    void skip(std::uint64_t size) { at_ += (size + kBlock - 1) / kBlock * kBlock; }

    const sys::Fd& file_;
    const std::uint64_t size_;
    std::uint64_t at_ = 0;
    Overrides next_;
    std::map<std::string, ArchiveEntry, std::less<>> entries_;
};

}  // namespace

std::string clean_name(std::string_view name) {
    std::vector<std::string_view> parts;
    for (const std::string_view part : split(name, '/')) {
        if (part == "..") {
            if (!parts.empty()) {
                parts.pop_back();
            }
        } else if (!part.empty() && part != ".") {
            parts.push_back(part);
        }
    }
    return fmt::format("{}", fmt::join(parts, "/"));
}

Result<ArchiveIndex> ArchiveIndex::read(const sys::Fd& file, std::uint64_t size) {
    ArchiveIndex index;
    index.entries_ = KNARR_TRY(IndexReader(file, size).run());
    return index;
}

Result<ArchiveEntry> ArchiveIndex::find(std::string_view name) const {
    std::string at = clean_name(name);
    for (int links = 0; links <= kMaxArchiveLinks; ++links) {
        const auto entry = entries_.find(at);
        if (entry == entries_.end()) {
            return fail(Errc::invalid_image, "there is no file {} in it", printable(name));
        }
        if (entry->second.link.empty()) {
            return entry->second;
        }
        at = entry->second.link;
    }
    return fail(Errc::invalid_image, "{} is behind too many links", printable(name));
}

}  // namespace knarr::image

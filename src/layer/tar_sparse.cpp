#include "layer/tar_sparse.h"

#include "core/text.h"
#include "layer/tar_number.h"

namespace knarr::layer {

namespace {

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

/// Format 1.0: the map stands before the data, as decimal lines filled up to whole blocks.
Result<> read_map_before_data(const TakeBlock& take, TarEntry& entry) {
    entry.sparse = true;
    std::vector<std::uint64_t> numbers;
    std::uint64_t wanted = 1;
    std::string line;
    while (numbers.size() < wanted) {
        TarBlock block;
        if (entry.stored_size < block.size() || !KNARR_TRY(take(block))) {
            return fail(Errc::invalid_image, "the sparse map is cut off");
        }
        entry.stored_size -= block.size();
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
    return check_runs(entry);
}

}  // namespace

/// Source: GNU tar's "oldgnu_header": four runs in the header, 21 in each block that follows.
Result<> read_gnu_sparse(const TarBlock& block, const TakeBlock& take, TarEntry& entry) {
    entry.sparse = true;
    const auto add = [&](std::string_view bytes, std::size_t at, std::size_t count) -> Result<> {
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
    KNARR_TRY(add(header, 386, 4));
    bool more = header[482] != '\0';
    while (more) {
        TarBlock next;
        if (!KNARR_TRY(take(next))) {
            return fail(Errc::invalid_image, "the tar is cut off in a sparse map");
        }
        const std::string_view bytes(next.data(), next.size());
        KNARR_TRY(add(bytes, 0, 21));
        more = bytes[504] != '\0';
    }
    return check_runs(entry);
}

Result<> read_pax_sparse(TarExtended& extended, const TakeBlock& take, TarEntry& entry) {
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
        return read_map_before_data(take, entry);
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

}  // namespace knarr::layer

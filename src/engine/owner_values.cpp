#include "engine/owner_values.h"

#include <concepts>
#include <cstdint>
#include <cstring>
#include <map>
#include <type_traits>
#include <vector>

#include "engine/exec_process.h"

namespace knarr::engine {

namespace {

/// Each type with its fields, once for both directions.
template <typename Visitor, typename Value>
void each_field(Visitor& visit, Value& value) {
    using T = std::remove_const_t<Value>;
    if constexpr (std::same_as<T, RemovedImage>) {
        visit(value.untagged, value.deleted, value.gone);
    } else if constexpr (std::same_as<T, LoadedImage>) {
        visit(value.id, value.reference);
    } else if constexpr (std::same_as<T, RemovedGarbage>) {
        visit(value.blobs, value.layers, value.quarantined, value.bytes);
    } else if constexpr (std::same_as<T, PrunedImages>) {
        visit(value.untagged, value.deleted, value.gone, value.bytes);
    } else if constexpr (std::same_as<T, BrokenBlob>) {
        visit(value.digest, value.size, value.problem, value.references);
    } else if constexpr (std::same_as<T, VerifyReport>) {
        visit(value.blobs, value.bytes, value.damaged, value.missing);
    } else if constexpr (std::same_as<T, UsageLine>) {
        visit(value.total, value.active, value.bytes, value.reclaimable);
    } else if constexpr (std::same_as<T, ImageSummary>) {
        visit(value.id, value.digest, value.references, value.created, value.platform, value.size);
        visit(value.repo_tags, value.repo_digests, value.labels);
    } else if constexpr (std::same_as<T, ImageUsage>) {
        visit(value.image, value.shared, value.unique, value.containers);
    } else if constexpr (std::same_as<T, UserFiles>) {
        visit(value.passwd, value.group);
    } else if constexpr (std::same_as<T, StoreUsage>) {
        visit(value.images, value.layers, value.garbage, value.each);
    } else {
        static_assert(std::same_as<T, PullProgress>);
        visit(value.phase, value.layer, value.done, value.total, value.text, value.reference);
        visit(value.digest, value.is_new);
    }
}

class Writer {
public:
    template <typename... Values>
    void operator()(const Values&... values) {
        (write(values), ...);
    }
    std::string take() { return std::move(bytes_); }

private:
    void write(std::uint64_t number) {
        bytes_.append(reinterpret_cast<const char*>(&number), sizeof number);
    }
    void write(PullPhase phase) { write(static_cast<std::uint64_t>(phase)); }
    void write(bool truth) { write(static_cast<std::uint64_t>(truth)); }
    void write(const std::string& text) {
        write(text.size());
        bytes_ += text;
    }
    template <typename T>
    void write(const std::vector<T>& all) {
        write(all.size());
        for (const T& one : all) {
            write(one);
        }
    }
    void write(const std::map<std::string, std::string>& all) {
        write(all.size());
        for (const auto& [name, value] : all) {
            (*this)(name, value);
        }
    }
    template <typename T>
        requires std::is_aggregate_v<T>
    void write(const T& value) {
        each_field(*this, value);
    }

    std::string bytes_;
};

/// Once something is missing, all that follows is empty.
class Reader {
public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}

    template <typename... Values>
    void operator()(Values&... values) {
        (read(values), ...);
    }
    /// All was there, and nothing else.
    bool is_whole() const { return whole_ && rest_.empty(); }

private:
    void read(std::uint64_t& number) {
        const std::string_view bytes = take(sizeof number);
        number = 0;
        std::memcpy(&number, bytes.data(), bytes.size());
    }
    void read(PullPhase& phase) {
        const std::uint64_t number = count();
        whole_ = whole_ && number <= static_cast<std::uint64_t>(PullPhase::finished);
        phase = whole_ ? static_cast<PullPhase>(number) : PullPhase::resolving;
    }
    void read(bool& truth) { truth = count() != 0; }
    void read(std::string& text) { text = take(count()); }
    template <typename T>
    void read(std::vector<T>& all) {
        for (std::uint64_t left = count(); left > 0 && whole_; --left) {
            read(all.emplace_back());
        }
    }
    void read(std::map<std::string, std::string>& all) {
        for (std::uint64_t left = count(); left > 0 && whole_; --left) {
            std::string name, value;
            (*this)(name, value);
            all.insert_or_assign(std::move(name), std::move(value));
        }
    }
    template <typename T>
        requires std::is_aggregate_v<T>
    void read(T& value) {
        each_field(*this, value);
    }

    std::uint64_t count() {
        std::uint64_t number = 0;
        read(number);
        return number;
    }
    std::string_view take(std::uint64_t size) {
        whole_ = whole_ && size <= rest_.size();
        const std::string_view taken = rest_.substr(0, whole_ ? size : 0);
        rest_.remove_prefix(taken.size());
        return taken;
    }

    std::string_view rest_;
    bool whole_ = true;
};

}  // namespace

template <typename T>
std::string encode_value(const T& value) {
    Writer writer;
    writer(value);
    return writer.take();
}

template <typename T>
Result<T> decode_value(std::string_view bytes) {
    T value{};
    Reader reader(bytes);
    reader(value);
    if (!reader.is_whole()) {
        return fail(Errc::internal, "what was done as the owner of the images sent no such result");
    }
    return value;
}

template std::string encode_value(const std::uint64_t&);
template Result<std::uint64_t> decode_value(std::string_view);
template std::string encode_value(const UserFiles&);
template Result<UserFiles> decode_value(std::string_view);
template std::string encode_value(const std::string&);
template Result<std::string> decode_value(std::string_view);
template std::string encode_value(const PullProgress&);
template Result<PullProgress> decode_value(std::string_view);
template std::string encode_value(const RemovedImage&);
template Result<RemovedImage> decode_value(std::string_view);
template std::string encode_value(const std::vector<LoadedImage>&);
template Result<std::vector<LoadedImage>> decode_value(std::string_view);
template std::string encode_value(const RemovedGarbage&);
template Result<RemovedGarbage> decode_value(std::string_view);
template std::string encode_value(const PrunedImages&);
template Result<PrunedImages> decode_value(std::string_view);
template std::string encode_value(const VerifyReport&);
template Result<VerifyReport> decode_value(std::string_view);
template std::string encode_value(const StoreUsage&);
template Result<StoreUsage> decode_value(std::string_view);

}  // namespace knarr::engine

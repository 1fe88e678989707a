#include "image/archive_writer.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include <fcntl.h>

#include "core/core.h"
#include "core/random.h"
#include "platform/disk.h"
#include "platform/file.h"

namespace knarr::image {
namespace {

constexpr std::size_t kBlock = 512, kMaxName = 100;

/// A ustar header. The same image gives the same archive: no times, no owners.
/// Source: POSIX pax(1) "ustar Interchange Format"; GNU tar's base 256 for sizes of 8 GiB and more.
std::array<char, kBlock> header_of(const std::string& name, std::uint64_t size) {
    std::array<char, kBlock> block{};
    const auto put = [&](std::size_t at, std::string_view text) {
        std::ranges::copy(text, block.begin() + static_cast<std::ptrdiff_t>(at));
    };
    put(0, name);
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    constexpr std::uint64_t kMaxOctal = 1ULL << 33U;
    if (size < kMaxOctal) {
        put(124, fmt::format("{:011o}", size));
    } else {
        block[124] = static_cast<char>(0x80);
        for (std::size_t i = 0; i < 8; ++i) {
            block[135 - i] = static_cast<char>(size >> (8 * i) & 0xffU);
        }
    }
    put(136, "00000000000");
    put(156, "0");
    put(257,
        std::string_view("ustar\0"
                         "00",
                         8));
    put(148, "        ");
    unsigned sum = 0;
    for (const char byte : block) {
        sum += static_cast<unsigned char>(byte);
    }
    put(148, fmt::format("{:06o}", sum));
    block[154] = '\0';
    return block;
}

class TarSink : public FileSink {
public:
    explicit TarSink(sys::Fd output) : output_(std::move(output)) {}

    Result<> begin(const std::string& name, std::uint64_t size) override {
        if (name.size() > kMaxName) {
            return fail(Errc::internal, "a name of {} bytes in an archive", name.size());
        }
        const auto block = header_of(name, size);
        left_ = size;
        padding_ = (kBlock - size % kBlock) % kBlock;
        return sys::write_all(output_, {block.data(), block.size()});
    }
    Result<> write(std::string_view bytes) override {
        if (bytes.size() > left_) {
            return fail(Errc::internal, "more bytes than were announced");
        }
        left_ -= bytes.size();
        return sys::write_all(output_, bytes);
    }
    Result<> end() override {
        if (left_ != 0) {
            return fail(Errc::internal, "{} bytes fewer than were announced", left_);
        }
        return sys::write_all(output_, std::string(padding_, '\0'));
    }
    Result<> finish() override { return sys::write_all(output_, std::string(2 * kBlock, '\0')); }

protected:
    const sys::Fd& output() const { return output_; }

private:
    sys::Fd output_;
    std::uint64_t left_ = 0, padding_ = 0;
};

class TarFileSink final : public TarSink {
public:
    TarFileSink(sys::Fd output, sys::Fd directory, std::string staged, std::string name)
        : TarSink(std::move(output)),
          directory_(std::move(directory)),
          staged_(std::move(staged)),
          name_(std::move(name)) {}
    TarFileSink(const TarFileSink&) = delete;
    TarFileSink& operator=(const TarFileSink&) = delete;
    ~TarFileSink() override {
        if (!staged_.empty()) {
            (void)sys::unlink_at(directory_, staged_);
        }
    }

    Result<> finish() override {
        KNARR_TRY(TarSink::finish());
        KNARR_TRY(sys::sync_fd(output()));
        KNARR_TRY(sys::rename_at(directory_, staged_, directory_, name_));
        staged_.clear();
        return sys::sync_fd(directory_);
    }

private:
    sys::Fd directory_;
    std::string staged_, name_;
};

class DirectorySink final : public FileSink {
public:
    /// `made`: the directory was not there before.
    DirectorySink(sys::Fd parent, sys::Fd directory, std::string name, bool made)
        : parent_(std::move(parent)),
          directory_(std::move(directory)),
          name_(std::move(name)),
          made_(made) {}
    DirectorySink(const DirectorySink&) = delete;
    DirectorySink& operator=(const DirectorySink&) = delete;
    ~DirectorySink() override {
        if (finished_) {
            return;
        }
        if (made_) {
            (void)sys::remove_tree_at(parent_, name_);
            return;
        }
        for (const std::string& entry :
             sys::list_dir(directory_).value_or(std::vector<std::string>{})) {
            (void)sys::remove_tree_at(directory_, entry);
        }
    }

    Result<> begin(const std::string& name, std::uint64_t) override {
        const std::size_t slash = name.rfind('/');
        if (slash != std::string::npos) {
            KNARR_TRY(sys::make_dirs(
                fmt::format("{}/{}", sys::fd_path(directory_), name.substr(0, slash)), 0755));
        }
        file_ = KNARR_TRY(
            sys::open_at(directory_, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
        return {};
    }
    Result<> write(std::string_view bytes) override { return sys::write_all(file_, bytes); }
    Result<> end() override {
        file_.reset();
        return {};
    }
    Result<> finish() override {
        KNARR_TRY(sys::sync_filesystem(directory_));
        finished_ = true;
        return {};
    }

private:
    sys::Fd parent_, directory_, file_;
    std::string name_;
    bool made_, finished_ = false;
};

/// The directory that a path is in, and its name there.
std::pair<std::string, std::string> split_last(std::string path) {
    while (path.size() > 1 && path.ends_with('/')) {
        path.pop_back();
    }
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) {
        return {".", path};
    }
    return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

Result<> FileSink::put(const std::string& name, std::string_view text) {
    KNARR_TRY(begin(name, text.size()));
    KNARR_TRY(write(text));
    return end();
}

std::unique_ptr<FileSink> tar_sink(sys::Fd output) {
    return std::make_unique<TarSink>(std::move(output));
}

Result<std::unique_ptr<FileSink>> tar_file_sink(const std::string& path) {
    const auto [parent, name] = split_last(path);
    sys::Fd directory = KNARR_TRY(sys::open_path(parent, O_RDONLY | O_DIRECTORY));
    const auto there = sys::open_path(path, O_PATH);
    if (there && !S_ISREG(KNARR_TRY(sys::stat_of(*there)).st_mode)) {
        return tar_sink(KNARR_TRY(sys::open_path(path, O_WRONLY)));
    }
    std::string staged = fmt::format(".{}.{}", name.substr(0, 200), random_name());
    // Images may hold secrets: as docker, only the owner may read.
    sys::Fd file =
        KNARR_TRY(sys::open_at(directory, staged, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600),
                  "{}",
                  path);
    return std::unique_ptr<FileSink>(std::make_unique<TarFileSink>(
        std::move(file), std::move(directory), std::move(staged), name));
}

Result<std::unique_ptr<FileSink>> directory_sink(const std::string& path) {
    const auto [parent_path, name] = split_last(path);
    sys::Fd parent = KNARR_TRY(sys::open_path(parent_path, O_RDONLY | O_DIRECTORY));
    Result<> made = sys::make_dir_at(parent, name, 0755);
    if (!made && made.error().sys_errno != EEXIST) {
        return fail(std::move(made).error());
    }
    sys::Fd directory =
        KNARR_TRY(sys::open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), "{}", path);
    if (!KNARR_TRY(sys::list_dir(directory)).empty()) {
        return fail(Error{.code = Errc::already_exists,
                          .message = fmt::format("directory {} is not empty", printable(path)),
                          .hint = "choose a directory that is not there yet"});
    }
    return std::unique_ptr<FileSink>(std::make_unique<DirectorySink>(
        std::move(parent), std::move(directory), name, made.has_value()));
}

}  // namespace knarr::image

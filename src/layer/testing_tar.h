#pragma once
// For tests: writes tars, honest ones and others, and unpacks them through the real job.

#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "layer/stored.h"
#include "layer/unpack.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/xattr.h"

namespace knarr::layer::testing_tar {

/// One header field by field; what is not given is harmless.
struct Header {
    std::string name;
    char type = '0';
    std::string link = {};
    unsigned mode = 0644;
    std::uint64_t uid = 0, gid = 0;
    std::uint64_t mtime = 1'600'000'000;
    unsigned major = 0, minor = 0;
    std::map<std::string, std::string> pax = {};  // records before the entry
    std::uint64_t stated_size = UINT64_MAX;       // other than the data's
    bool break_checksum = false;
};

class TarWriter {
public:
    TarWriter& add(const Header& header, std::string_view data = {}) {
        if (!header.pax.empty()) {
            std::string records;
            for (const auto& [key, value] : header.pax) {
                records += pax_record(key, value);
            }
            block({.name = "pax", .type = 'x'}, records.size());
            body(records);
        }
        block(header, header.stated_size == UINT64_MAX ? data.size() : header.stated_size);
        body(data);
        return *this;
    }
    TarWriter& file(const std::string& name, std::string_view data = "x") {
        return add({.name = name}, data);
    }
    TarWriter& dir(const std::string& name, unsigned mode = 0755) {
        return add({.name = name, .type = '5', .mode = mode});
    }
    TarWriter& symlink(const std::string& name, const std::string& target) {
        return add({.name = name, .type = '2', .link = target, .mode = 0777});
    }
    TarWriter& hard_link(const std::string& name, const std::string& target) {
        return add({.name = name, .type = '1', .link = target});
    }
    TarWriter& raw(std::string_view bytes) {
        bytes_ += bytes;
        return *this;
    }
    /// With the two blocks of zeros.
    std::string end() const { return bytes_ + std::string(1024, '\0'); }
    const std::string& without_end() const { return bytes_; }

    static std::string pax_record(std::string_view key, std::string_view value) {
        std::size_t size = key.size() + value.size() + 3;
        size += std::to_string(size).size();
        if (std::to_string(size).size() + key.size() + value.size() + 3 != size) {
            ++size;
        }
        return fmt::format("{} {}={}\n", size, key, value);
    }

private:
    void block(const Header& header, std::uint64_t size) {
        std::string out(512, '\0');
        const auto put = [&](std::size_t at, std::string_view text) {
            out.replace(at, text.size(), text);
        };
        put(0, std::string_view(header.name).substr(0, 100));
        put(100, fmt::format("{:07o}", header.mode));
        put(108, fmt::format("{:07o}", header.uid & 07777777U));
        put(116, fmt::format("{:07o}", header.gid & 07777777U));
        put(124, fmt::format("{:011o}", size));
        put(136, fmt::format("{:011o}", header.mtime));
        put(148, "        ");
        out[156] = header.type;
        put(157, std::string_view(header.link).substr(0, 100));
        put(257,
            std::string_view("ustar\0"
                             "00",
                             8));
        put(329, fmt::format("{:07o}", header.major));
        put(337, fmt::format("{:07o}", header.minor));
        unsigned sum = header.break_checksum ? 1 : 0;
        for (const char c : out) {
            sum += static_cast<unsigned char>(c);
        }
        put(148, fmt::format("{:06o}", sum));
        out[154] = '\0';
        bytes_ += out;
    }
    void body(std::string_view data) {
        bytes_ += data;
        bytes_.append((512 - data.size() % 512) % 512, '\0');
    }
    std::string bytes_;
};

/// A store in a scratch directory; layers are stacked in the order in which they are unpacked.
/// Each test runs with each driver.
class LayerTest : public testing::TestWithParam<Driver> {
protected:
    void SetUp() override {
        if (sys::effective_uid() != 0) {
            GTEST_SKIP() << "needs root";
        }
        char name[] = "/tmp/knarr-layer-XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        path_ = name;
        ASSERT_EQ(mkdir((path_ + "/store").c_str(), 0700), 0);
        store_.push_back(store::Store::open(path_ + "/store").value());
        if (GetParam() == Driver::erofs) {
            if (const auto why = why_no_erofs(store().layers_dir()).value()) {
                GTEST_SKIP() << "needs EROFS mounts: " << why->message;
            }
        }
    }
    void TearDown() override {
        mounted_.clear();
        if (!path_.empty()) {
            store_.clear();
            const sys::Fd tmp = sys::open_path("/tmp", O_RDONLY | O_DIRECTORY).value();
            EXPECT_TRUE(sys::remove_tree_at(tmp, path_.substr(5)));
        }
    }
    const store::Store& store() const { return store_.front(); }

    /// Unpacks a blob as the next layer; it stays in the chain only when that worked.
    Result<LayerInfo> unpack_blob(std::string_view blob, const spec::Digest& diff_id) {
        diff_ids_.push_back(diff_id);
        auto job = Unpack::start(store(),
                                 {.blob = store().put_blob(blob).value(),
                                  .diff_id = diff_id,
                                  .chain = store::chain_ids(diff_ids_),
                                  .limits = limits_,
                                  .driver = GetParam()});
        auto info = job ? job->finish() : Result<LayerInfo>(std::unexpected(job.error()));
        if (!info) {
            diff_ids_.pop_back();
        }
        return info;
    }
    Result<LayerInfo> unpack(std::string_view tar) {
        return unpack_blob(tar, store::sha256_of(tar));
    }
    void show_layers() const {
        mounted_.push_back(
            MountedLayers::mount(store(), store::chain_ids(diff_ids_), Stacking::each).value());
    }
    /// A path in the layer that was unpacked last.
    std::string at(const std::string& path) const {
        show_layers();
        return fmt::format(
            "{}/fs/{}", store().layer_path(store::chain_ids(diff_ids_).back()), path);
    }
    struct stat info(const std::string& path) const {
        struct stat out{};
        EXPECT_EQ(lstat(at(path).c_str(), &out), 0) << path;
        return out;
    }
    bool exists(const std::string& path) const {
        struct stat out{};
        return lstat(at(path).c_str(), &out) == 0;
    }
    bool is_whiteout(const std::string& path) const {
        struct stat out{};
        return lstat(at(path).c_str(), &out) == 0 && S_ISCHR(out.st_mode) && out.st_rdev == 0;
    }
    bool is_opaque(const std::string& path) const {
        const sys::Fd dir = sys::open_path(at(path), O_RDONLY | O_DIRECTORY).value();
        return sys::get_xattr(dir, "trusted.overlay.opaque").value() == "y";
    }
    std::string content(const std::string& path) const {
        return sys::read_file(at(path), 1 << 20).value_or("(not there)");
    }
    /// What is in the store's layers directory; nothing may be left by a refused layer.
    std::size_t layers() const { return sys::list_dir(store().layers_dir()).value().size(); }

    std::string path_;
    std::vector<store::Store> store_;  // one
    std::vector<spec::Digest> diff_ids_;
    Limits limits_ = kDefaultLimits;
    mutable std::vector<MountedLayers> mounted_;
};

inline std::string driver_name(const testing::TestParamInfo<Driver>& info) {
    return std::string(name_of(info.param));
}

}  // namespace knarr::layer::testing_tar

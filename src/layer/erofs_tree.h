#pragma once
// A layer in the making as an EROFS image over the layer's own tar: files are runs of the tar's
// blocks. What cannot be (sparse files whose pieces lie askew, files linked from layers below) is
// written behind the tar. Nothing of the image's names ever exists on the host.

#include "erofs/image.h"
#include "layer/own_tree.h"

namespace knarr::layer {

class ErofsTree final : public OwnTree {
public:
    /// `data`: the tar, open for reading and writing; `tar_bytes` of it are there. Outlives this.
    ErofsTree(const sys::Fd& data, std::uint64_t tar_bytes);

    Result<std::optional<OwnEntry>> find(const std::string& path) override;
    Result<bool> has_directory(const std::string& path) override;
    Result<Added> add_directory(const std::string& path, const Attributes& attributes) override;
    Result<> set_attributes(const std::string& path, const Attributes& attributes) override;
    Result<> make_directory(const std::string& path) override;
    Result<Added> add_file(const std::string& path,
                           const TarEntry& entry,
                           const Attributes& attributes,
                           TarReader& tar) override;
    Result<Added> add_special(const std::string& path,
                              const TarEntry& entry,
                              const Attributes& attributes) override;
    Result<Added> add_hard_link(const std::string& target, const std::string& path) override;
    Result<> add_whiteout(const std::string& path) override;
    Result<> copy_up(const std::string& path, const LowerFile& lower) override;
    Result<> remove(const std::string& path) override;
    Result<> finish() override;
    std::uint64_t skipped_xattrs() const override { return skipped_xattrs_; }

    /// Marks directories for overlayfs.
    Result<> mark_opaque(const std::vector<std::string>& paths);
    /// Writes the image, of at most so many bytes, and what is missing at the end of the data's
    /// last block. Errors: limit_exceeded.
    Result<> write(const sys::Fd& image, std::uint64_t max_bytes);

private:
    using Entries = std::map<std::string, std::uint32_t>;

    erofs::Inode* at(const std::string& path);
    std::optional<std::uint32_t> number_of(const std::string& path) const;
    /// The entries of the directory that holds `path`.
    Result<Entries*> parent_of(const std::string& path);
    Result<Added> add(const std::string& path, erofs::Inode inode);
    erofs::Inode make_inode(unsigned type, const Attributes& attributes);
    Result<> place_sparse(const TarEntry& entry, std::uint64_t data_at, erofs::Inode& inode);
    Result<std::uint32_t> fill_chunk(const TarEntry& entry,
                                     const std::vector<std::uint64_t>& stored_at,
                                     std::uint64_t begin,
                                     std::uint64_t end);
    Result<> copy(const sys::Fd& from,
                  std::uint64_t from_at,
                  std::uint64_t to,
                  std::uint64_t bytes);
    /// Room for so many bytes behind all that is there; where it begins.
    Result<std::uint64_t> append(std::uint64_t bytes);

    const sys::Fd& data_;
    std::uint64_t end_;  // of what the data file is to hold
    erofs::Tree tree_;
    std::uint64_t skipped_xattrs_ = 0;
    std::string buffer_;
};

}  // namespace knarr::layer

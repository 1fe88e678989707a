#pragma once
// What a container would see: the layer that is being made over those below it. Finds the directory
// in which an entry belongs.
//
// An upper layer may carry "lib/foo" where a lower one made lib a link to usr/lib. Docker's and
// podman's overlay drivers unpack each layer alone and so hide the link under a new directory;
// umoci unpacks all layers into one tree and puts the file into usr/lib. The latter is what the
// image's author saw, so links of lower layers are resolved here, inside the root, by reading them:
// no system call ever follows one. A link that the same layer made is refused as a parent: tars
// made from a tree have none, tars made to escape do.

#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "layer/own_tree.h"

namespace knarr::layer {

/// A layer below.
struct LowerLayer {
    const sys::Fd* root = nullptr;
    std::set<std::string, std::less<>> opaque;  // paths of its opaque directories
};

enum class LinkRule { follow_lower, refuse };

class View {
public:
    /// `lowers` are highest first. All outlive this.
    View(OwnTree& own, const std::vector<LowerLayer>& lowers) : own_(own), lowers_(lowers) {}

    /// Where a directory of the own layer really is, made where it was missing. Missing ones get
    /// the attributes that they have in the layers below, else they are root's with mode 0755.
    /// Errors: invalid_image for a parent that is no directory or a link that may not be followed.
    Result<std::string> directory(const std::string& path, LinkRule rule);

    struct Found {
        sys::Fd fd;  // O_PATH
        struct stat info{};
        const LowerLayer* layer = nullptr;
    };
    /// What is at a real path (one that directory() gave, and a name) in the layers below; nothing
    /// where it is hidden.
    Result<std::optional<Found>> lower(const std::string& path) const;
    /// A lower file opened for reading.
    static Result<sys::Fd> open_lower(const Found& found, const std::string& path);

    /// Hides what the layers below have in a directory.
    void mark_opaque(const std::string& path) { opaque_.insert(path); }
    const std::set<std::string, std::less<>>& opaque() const { return opaque_; }
    /// How many directories were made that the tar does not name itself.
    std::uint64_t unnamed_directories() const { return unnamed_directories_; }
    /// A tree of the own layer, not the whole of it, is gone.
    void forget(const std::string& path);

    /// Those of a file or directory below.
    static Result<Attributes> attributes_of(const Found& found, const sys::Fd& file);
    /// Gives the own directory at `path` the attributes of the one below it, if there is one.
    Result<> copy_lower_attributes(const std::string& path);

private:
    enum class Kind { absent, directory, own_link, lower_link, other };
    struct Component {
        Kind kind = Kind::absent;
        std::string target;
    };
    Result<Component> look(const std::string& path) const;
    Result<std::string> real_path(const std::string& path, LinkRule rule) const;
    Result<> make_directory(const std::string& path);

    OwnTree& own_;
    const std::vector<LowerLayer>& lowers_;
    std::set<std::string, std::less<>> opaque_;
    std::uint64_t unnamed_directories_ = 0;
    std::unordered_map<std::string, std::string> cache_;  // real paths, by those in the tar
};

/// Opens what is at `path` in `root`, never through a link.
Result<sys::Fd> open_inside(const sys::Fd& root, const std::string& path, int flags);
bool is_whiteout(const struct stat& info);
/// Attributes that an image may set; see the table in view.cpp.
bool is_portable_xattr(std::string_view name);
/// Whether the kernel would take it, which not every driver asks (xattr_check.cpp). Errors:
/// invalid_image, as containers/storage and containerd fail, too.
Result<> check_xattr(std::string_view name, std::string_view value);

}  // namespace knarr::layer

#pragma once
// The files of a cgroup that exists: read by controller, and written all or none.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/cgroup.h"

namespace knarr::sys {

/// A cgroup's files by controller, in whichever hierarchy that is. The plan outlives the object.
class CgroupFiles {
public:
    explicit CgroupFiles(const CgroupPlan& plan) : plan_(plan) {}
    bool v2() const { return plan_.v2; }
    /// The text of a file; nothing when the controller is not there, or not the file, or when it
    /// cannot be read just now.
    std::optional<std::string> read(std::string_view controller, const std::string& file) const;
    /// The file open to read, or to write; nothing as above.
    std::optional<Fd> open(std::string_view controller, const std::string& file) const;
    std::optional<Fd> open_to_write(std::string_view controller, const std::string& file) const;

private:
    std::optional<Fd> open_for(std::string_view controller,
                               const std::string& file,
                               int flags) const;
    const CgroupPlan& plan_;
};

/// Writes the texts of the plan, in order, into a cgroup that exists. Every file is found and its
/// text kept before the first write; when a write fails, what was written is put back, the newest
/// first. `tell` (may be empty) is for whoever else keeps limits of this cgroup and may write its
/// own idea of them: called after the texts are known to be good, which are then written once more;
/// its failure too puts everything back. Errors: as make_cgroup; those of `tell`.
Result<> update_cgroup(const CgroupPlan& plan, const std::function<Result<>()>& tell = {});

/// What puts back what `write` changed in a file whose text was `before`. Nothing where that cannot
/// be said in one write. Pure. Source: kernel cgroup-v2.rst, "Conventions": flat and nested keys.
std::optional<std::string> undo_text(const std::string& file,
                                     std::string_view written,
                                     std::string_view before);

}  // namespace knarr::sys

#pragma once
// The files of an ordinary user's images and containers belong to many users: he himself and the
// subordinate IDs that are given to him. What makes, reads or removes them works in a user
// namespace in which he is root over all of these; processes are dealt with from outside of it,
// where he has every right over the namespaces that he has made.
//
// For root of the host, and for the root of a user namespace that somebody else has made, nothing
// here does anything.

#include <functional>
#include <string>
#include <string_view>

#include "platform/fd.h"
#include "spec/runtime_config.h"

namespace knarr::engine {

/// Whether we are an ordinary user, who cannot give files to others.
bool is_ordinary_user();

/// Whether an ordinary user may trust what is on the way to the data root: asked out here, since in
/// such a namespace all strangers have one number, and are taken for the host's root. Root asks
/// when it opens the store. Errors: denied (store::check_way).
Result<> check_users_way(const std::string& data_root);

/// Puts this process, which must have one thread, into such a user namespace and a mount namespace,
/// for good, to work below the data root, the way to which is looked at before. Mounts that are
/// made go with it.
/// Errors: denied, unsupported, with what an administrator has to do.
Result<> enter_owner_namespace(const std::string& data_root);

/// Puts this process into the user namespace of a running container, for good: there all of what
/// the container's users own is in our reach.
Result<> enter_namespace_of(const sys::Fd& process);

/// What `work` returns, done by a child in such namespaces, for a caller who goes on outside of
/// them; by ourselves where we are no ordinary user. Errors: work's; those of
/// enter_owner_namespace.
Result<std::string> as_owner(const std::function<Result<std::string>()>& work);

/// What work that tells things meanwhile gets, in the child.
struct OwnerSide {
    std::function<void(std::string_view)> tell;
    int cancel_fd = -1;  ///< becomes readable when the work is to end
};
/// What its caller does meanwhile.
struct CallerSide {
    std::function<Result<>(std::string_view)> hear;  ///< all that is told, in order
    int cancel_fd = -1;
};
/// The same for such work, always in a child: call it for an ordinary user alone. Errors: also
/// hear's, which end the work.
Result<std::string> as_owner(const std::function<Result<std::string>(const OwnerSide&)>& work,
                             const CallerSide& caller);

/// The same for work that returns nothing.
Result<> do_as_owner(const std::function<Result<>()>& work);

/// Removes a tree in the directory `parent`, files of subordinate users among it.
Result<> remove_owned_tree(const sys::Fd& parent, const std::string& name);

/// The bytes on the disk of a tree, as tree_bytes() has them; files of subordinate users among it.
Result<std::uint64_t> owned_tree_bytes(const sys::Fd& dir);

/// Gives the container of an image a user namespace with the same mapping as its files have.
void add_owner_namespace(spec::RuntimeConfig& config);

}  // namespace knarr::engine

#pragma once
// The names of containers: given, or generated (generated_name.h); unique, also among IDs. The
// record says what a container is called. ROOT/.names has a link for each name, to the ID: who
// looks for a name, or for one that is free, reads one link and one record, however many
// containers there are. A link to a container that is called otherwise, or is gone, stands for
// nothing: that is what a process leaves that was killed between the two.

#include <optional>
#include <string>
#include <string_view>

#include "core/random.h"
#include "engine/context.h"
#include "engine/record.h"

namespace knarr::engine {

/// The container that is so called; a damaged one, too. Errors: io.
Result<std::optional<ContainerId>> find_name(const Context& context, std::string_view name);

/// Whether a container may be called so. Errors: already_exists; invalid_argument for what is no
/// name.
Result<> check_name(const Context& context, const std::string& name);

/// Writes the new record of a container of an image under a name of its own: the one that it says,
/// or else a generated one, which it says then. Errors: those of check_name, with the record
/// written, which is undone as in any launch that fails.
Result<> save_named(const Context& context, const LockedDir& dir, Record& record, Random& random);

/// The name is free again; called while the record is still there.
void release_name(const Context& context, const Record& record);
/// The same of a container whose record cannot be read.
void release_names_of(const Context& context, const std::string& id);

/// Gives a container made from an image another name.
/// Errors: those of check_name; unsupported for a container of a bundle, which has an ID alone.
Result<> rename_container(const Context& context, const ContainerId& id, const std::string& name);

/// Makes the links that are missing after a reboot, and removes those that stand for nothing.
Result<> mend_names(const Context& context);

}  // namespace knarr::engine

#include "engine/nested_cgroup.h"

#include <algorithm>

#include "core/text.h"
#include "engine/record.h"

namespace knarr::engine {

namespace {

/// The directory of `outer` that one of `inner` lies below; nullptr: none does.
const sys::CgroupDir* lies_in(const sys::CgroupPlan& inner, const sys::CgroupPlan& outer) {
    for (const sys::CgroupDir& dir : outer.dirs) {
        const bool found = std::ranges::any_of(inner.dirs, [&](const sys::CgroupDir& one) {
            return one.mount_point == dir.mount_point && one.path.starts_with(dir.path + "/");
        });
        if (found) {
            return &dir;
        }
    }
    return nullptr;
}

}  // namespace

Result<> refuse_nested_cgroup(const Context& context,
                              const NewContainer& wanted,
                              const runtime::LaunchPlan& plan) {
    const auto& linux_part = wanted.bundle.config.linux_;
    if (!wanted.life || !plan.cgroup || !linux_part || linux_part->cgroups_path.empty()) {
        return {};
    }
    for (const std::string& text : KNARR_TRY(context.root.ids())) {
        const auto id = ContainerId::parse(text);
        const auto dir = id ? context.root.open_dir(*id) : Result<sys::Fd>(fail(id.error()));
        // One that is just going, or damaged, is no reason to refuse another.
        const auto record =
            dir ? load_record(*dir, text) : Result<std::optional<Record>>(std::optional<Record>());
        if (!record || !*record || !(*record)->cgroup || text == wanted.id.text()) {
            continue;
        }
        if (const sys::CgroupDir* outer = lies_in(*plan.cgroup, *(*record)->cgroup)) {
            return fail(Error{
                .code = Errc::invalid_argument,
                .message = fmt::format("--cgroup-parent: cgroup {} is that of container {}, which "
                                       "ends with it",
                                       printable(outer->path),
                                       text),
                .hint = "name a cgroup that is no container's, and let both have it as their "
                        "parent"});
        }
    }
    return {};
}

}  // namespace knarr::engine

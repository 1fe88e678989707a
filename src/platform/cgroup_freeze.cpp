#include "platform/cgroup_freeze.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include <fcntl.h>

#include "core/fault.h"
#include "core/text.h"
#include "platform/file.h"
#include "platform/patience.h"

namespace knarr::sys {

namespace {

constexpr std::size_t kMaxBytes = 4096;
// A process that the kernel cannot stop (it waits for a dead disk) may never stand still.
constexpr int kFreezeWaitSeconds = 10;

struct Freezer {
    Fd dir;
    std::string place;
    bool v1 = false;
};

bool has_v1_freezer(const CgroupDir& dir) {
    const auto controllers = split(dir.controllers, ',');
    return std::ranges::find(controllers, "freezer") != controllers.end();
}

std::string read_text(const Freezer& freezer, const char* file) {
    return read_file_at(freezer.dir, file, kMaxBytes).value_or("");
}

/// Nothing when the directory has no freezer: the root of a hierarchy, a kernel before 5.2.
std::optional<Freezer> open_freezer(const CgroupDir& dir) {
    const bool v1 = has_v1_freezer(dir);
    if (!v1 && !dir.controllers.empty()) {
        return std::nullopt;
    }
    Freezer freezer{.dir = {}, .place = dir.mount_point + dir.path, .v1 = v1};
    Result<Fd> opened = open_path(freezer.place, O_RDONLY | O_DIRECTORY);
    if (!opened) {
        return std::nullopt;
    }
    freezer.dir = std::move(*opened);
    return read_file_at(freezer.dir, v1 ? "freezer.state" : "cgroup.freeze", kMaxBytes)
               ? std::optional(std::move(freezer))
               : std::nullopt;
}

/// All that can freeze. The hybrid layout has a v2 directory without controllers, which can, too.
std::vector<Freezer> freezers_of(const CgroupPlan& plan) {
    std::vector<Freezer> out;
    for (const CgroupDir& dir : plan.dirs) {
        if (auto freezer = open_freezer(dir)) {
            out.push_back(std::move(*freezer));
        }
    }
    // The v1 freezer first where there is one: every process is in it.
    std::ranges::stable_partition(out, &Freezer::v1);
    return out;
}

enum class Motion { running, stopping, frozen };

Motion motion_of(const Freezer& freezer) {
    // v1: THAWED, FREEZING or FROZEN; v2: lines of "populated N" and "frozen N".
    if (!freezer.v1) {
        const bool frozen =
            read_text(freezer, "cgroup.events").find("frozen 1") != std::string::npos;
        return frozen ? Motion::frozen : Motion::running;
    }
    const std::string state = read_text(freezer, "freezer.state");
    return state.starts_with("FRO")     ? Motion::frozen
           : state.starts_with("FREEZ") ? Motion::stopping
                                        : Motion::running;
}

bool frozen_from_above(const Freezer& freezer) {
    return freezer.v1
               ? read_text(freezer, "freezer.parent_freezing").starts_with('1')
               : read_text(freezer, "../cgroup.events").find("frozen 1") != std::string::npos;
}

Result<> ask(const Freezer& freezer, bool frozen) {
    return freezer.v1 ? write_file_at(freezer.dir, "freezer.state", frozen ? "FROZEN" : "THAWED")
                      : write_file_at(freezer.dir, "cgroup.freeze", frozen ? "1" : "0");
}

std::unexpected<Error> no_freezer(const CgroupPlan& plan) {
    const bool v1 = std::ranges::any_of(
        plan.dirs, [](const CgroupDir& dir) { return !dir.controllers.empty(); });
    return fail(Error{.code = Errc::unsupported,
                      .message = "its cgroup has no freezer",
                      .hint = v1 ? "mount the v1 hierarchy with the freezer controller before "
                                   "the container is created"
                                 : "cgroup.freeze needs Linux 5.2, and a cgroup of its own"});
}

}  // namespace

bool is_frozen(const CgroupPlan& plan) {
    return std::ranges::any_of(freezers_of(plan), [](const Freezer& freezer) {
        return motion_of(freezer) != Motion::running;
    });
}

Result<> freeze_cgroup(const CgroupPlan& plan) {
    const std::vector<Freezer> freezers = freezers_of(plan);
    if (freezers.empty()) {
        return no_freezer(plan);
    }
    const Freezer& freezer = freezers.front();
    Patience patience{std::chrono::seconds(kFreezeWaitSeconds)};
    Result<> asked;
    do {
        // Again each time: v1 looks for processes that were missed only when it is told to freeze.
        asked = ask(freezer, true);
        if (asked && motion_of(freezer) == Motion::frozen) {
            asked = fault_point("freeze.frozen");
            if (asked) {
                return {};
            }
        }
    } while (asked && patience.rest());
    Error error = asked ? fail(Errc::timed_out,
                               "freeze cgroup {}: not all of its processes stand still after {} s",
                               freezer.place,
                               kFreezeWaitSeconds)
                              .error()
                        : std::move(asked).error().within("freeze cgroup " + freezer.place);
    if (const Result<> thawed = ask(freezer, false); !thawed) {
        error.message += fmt::format("; and it cannot be thawed: {}", thawed.error().message);
    }
    return fail(std::move(error));
}

Result<> thaw_cgroup(const CgroupPlan& plan) {
    const std::vector<Freezer> freezers = freezers_of(plan);
    if (freezers.empty()) {
        return no_freezer(plan);
    }
    for (const Freezer& freezer : freezers) {
        if (frozen_from_above(freezer)) {
            auto refused = fail(
                Errc::wrong_state, "a cgroup above {} is frozen, by somebody else", freezer.place);
            return fail(std::move(refused).error().advise("thaw that cgroup first"));
        }
    }
    Patience patience{std::chrono::seconds(kFreezeWaitSeconds)};
    for (const Freezer& freezer : freezers) {
        KNARR_TRY(ask(freezer, false), "thaw cgroup {}", freezer.place);
        while (motion_of(freezer) != Motion::running) {
            if (!patience.rest()) {
                return fail(Errc::timed_out,
                            "thaw cgroup {}: still frozen after {} s",
                            freezer.place,
                            kFreezeWaitSeconds);
            }
        }
    }
    return {};
}

}  // namespace knarr::sys

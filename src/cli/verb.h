#pragma once
// cli: the `knarr` program. One file per verb, each a Verb value: its options, its help and the
// function that asks the engine. Nothing here decides; the engine does.
//
// clang-format off
//   main.cpp             global options, which verb, what an error looks like and means as exit status
//   options.h            the option parser
//   verbs.cpp            the table of all verbs; unbuilt.h: not built yet
//   help.h               help texts from the table; from that too completion.h, man.h
//   output.h             standard output, standard error, the log file
//   table.h              columns; text_columns.h: of one text; moment.h: times as people read them
//   containers.h, image_verbs.h    what several verbs share
//   run_way.h            `run` of a bundle or of an image, and the options of each
//   run_options.h        the values of an image's: log_options.h, pull_options.h
//   progress.h           a pull as a person sees it; progress_sum.h: all of its layers together
//   ps_containers.h      `ps`; container_details.h: what it shows besides; image_name.h: its images
//   event_filter.h       `events` of all containers; stats_json.h: of one
//   usage.h              `stats`, `metrics`
//   explanation.h        `explain`
//   inspected.h          what all verbs called inspect print; indented_json.h: its layout
//   row_format.h         --format of lists; shown_command.h: a command in a column
//   json_template.h      Go's templates over a document: template_parse.h reads them,
//                        template_value.h has values and functions
//   duration.h, log_time.h, key_value.h, ports.h, volume.h, mount_option.h         values of options
//   container_filter.h, image_filter.h, volume_filter.h, prune_filter.h            values of --filter;
//                        expression.h: regular ones
//   attach_options.h, health_options.h, setting_options.h, resource_options.h      groups of options
//   refused.h            docker's options that are not here
//   chosen.h             podman's --all, --latest, --filter, --cidfile; exists.cpp: its `exists`
//   docker_verbs.h       docker's own verbs; confirm.h: its question, prune.h: its prunes
//   network.h            the two networks that there are
//   places.h, version.h  defaults
// clang-format on

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cli/options.h"
#include "cli/output.h"
#include "knarr/cgroup_manager.h"
#include "knarr/result.h"

namespace knarr::cli {

/// What stands before the verb.
struct Globals {
    std::string root = "/run/knarr";
    std::string data_root = "/var/lib/knarr";
    std::optional<bool> rootless;  // --rootless; nothing: as the caller is
    CgroupManager cgroup_manager = CgroupManager::cgroupfs;
    std::string policy = "default";
    std::string snapshot_driver;  // empty: as found (layer/driver.h)
    OwnLog monitor_log;
};

/// What a verb gets besides its own options.
struct Context {
    Globals globals;
    Reporter& reporter;
    /// Instead of the exit status of an error of ours: 125 for `run IMAGE`, as docker and podman
    /// do, so that it differs from what the program returned. 0: the error's own.
    int failure_status = 0;
    /// exec as runc spells it: 126 and 127 of ours become failure_status too.
    bool for_programs_too = false;
};

struct Verb {
    std::string_view name;
    std::span<const std::string_view> aliases = {};
    std::string_view synopsis = {};  // "[options] ID", one spelling a line
    std::string_view summary = {};   // one line for the list of verbs
    std::string_view about = {};     // paragraphs for its own help
    std::string_view example = {};
    std::span<const Option> options = {};
    ParseRules rules = {};
    int usage_status = 0;  // of what cannot be parsed; 0: as the error has it
    /// Returns the exit status.
    Result<int> (*run)(Context& context, const Parsed& args) = nullptr;
    /// A verb of verbs ("image list"): its own table, and no `run`.
    std::span<const Verb* const> inner = {};
};

/// All verbs, in the order that help shows.
std::span<const Verb* const> all_verbs();

extern const Verb kCreate, kStart, kState, kKill, kDelete, kPause, kResume, kUpdate, kPs, kEvents,
    kFeatures, kSpec, kCheckpoint, kRestore, kRun, kExec, kList, kPlan, kPull, kImages, kRmi,
    kImage, kTag, kUntag, kHistory, kSave, kLoad, kPush, kLogin, kLogout, kContainer, kInfo,
    kVersion, kHelp, kStop, kRestart, kWait, kLogs, kInspect, kRename, kRecover, kCleanup,
    kShutdown, kStats, kMetrics, kDoctor, kExplain, kHealth, kCompletion, kVolume, kAttach;

/// Tells what failed, with what helps; the exit status that it stands for.
int report_failure(const Context& context, Error error);

/// Exactly one positional, called `what` in the error.
Result<std::string_view> one_argument(const Parsed& args, std::string_view what);
/// Errors: invalid_argument when there are positionals.
Result<> no_arguments(const Parsed& args);

}  // namespace knarr::cli
